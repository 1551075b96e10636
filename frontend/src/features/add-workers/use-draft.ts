/** The draft of this browser: read once, kept at every change, forgotten after the submit. */
import { useCallback, useState } from "react";
import { readPreference, savePreference } from "../../lib/preferences";
import { type Draft, emptyDraft, readDraft } from "./draft";

const NAME = "draft.add-workers";

export function useDraft(begin: (draft: Draft) => Draft) {
  const [draft, setDraft] = useState(() => begin(readDraft(readPreference(NAME)) ?? emptyDraft(crypto.randomUUID())));
  const change = useCallback((next: Draft) => {
    savePreference(NAME, JSON.stringify(next));
    setDraft(next);
  }, []);
  const forget = useCallback(() => change(emptyDraft(crypto.randomUUID())), [change]);
  return { draft, change, forget };
}
