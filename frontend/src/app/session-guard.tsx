/** Signs in again over the page when the session has ended: nothing is unmounted, so nothing typed is lost. */
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { onSessionEnded } from "../api/http";
import type { Me } from "../api/client";
import { reconnectNow } from "../lib/live";
import { meKey } from "../lib/queries";

const SignInDialog = lazy(() => import("./sign-in-dialog"));

export function SessionGuard() {
  const queryClient = useQueryClient();
  const [was, setWas] = useState<Me | null>(null);
  useEffect(
    () =>
      onSessionEnded(() => {
        // Nobody was signed in yet: the router sends to the sign-in page by itself.
        const me = queryClient.getQueryData<Me>(meKey);
        if (me) setWas(me);
      }),
    [queryClient],
  );
  const signedIn = (me: Me) => {
    if (was && me.id !== was.id) {
      // What is on the page belongs to somebody else.
      queryClient.clear();
      window.location.assign("/");
      return;
    }
    queryClient.setQueryData(meKey, me);
    setWas(null);
    void queryClient.invalidateQueries();
    reconnectNow();
  };
  return (
    was && (
      <Suspense fallback={null}>
        <SignInDialog name={was.name} onSignedIn={signedIn} />
      </Suspense>
    )
  );
}
