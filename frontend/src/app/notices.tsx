/** What `App.useApp()` gives to pages (messages, questions), fetched when one is first said: a first page does without. */
import AppContext, { type useAppProps } from "antd/es/app/context";
import { lazy, type ReactNode, Suspense, useSyncExternalStore } from "react";

const NoticeHolder = lazy(() => import("./notice-holder"));

const listeners = new Set<() => void>();
let wanted = false;
let tell: (notices: useAppProps) => void;
const ready = new Promise<useAppProps>((resolve) => (tell = resolve));

function want(): Promise<useAppProps> {
  wanted = true;
  listeners.forEach((listener) => listener());
  return ready;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Every function of one kind, called once the real one is there. */
function late<Kind extends keyof useAppProps>(kind: Kind): useAppProps[Kind] {
  const call = (name: string) => (...given: unknown[]) =>
    want().then((notices) => (notices[kind] as unknown as Record<string, (...all: unknown[]) => unknown>)[name]!(...given));
  return new Proxy({}, { get: (_, name) => call(String(name)) }) as useAppProps[Kind];
}

const LATE: useAppProps = { message: late("message"), notification: late("notification"), modal: late("modal") };

export function Notices({ children }: { children: ReactNode }) {
  const shown = useSyncExternalStore(subscribe, () => wanted);
  return (
    <AppContext.Provider value={LATE}>
      {children}
      {shown && (
        <Suspense fallback={null}>
          <NoticeHolder onReady={(notices) => tell(notices)} />
        </Suspense>
      )}
    </AppContext.Provider>
  );
}
