/** CodeMirror's merge view; use `DiffView`, which fetches this. */
import { yaml } from "@codemirror/lang-yaml";
import { defaultHighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";

type Props = {
  before: string;
  after: string;
  unified: boolean;
  language: "yaml" | "text";
  dark: boolean;
  phrases: Record<string, string>;
  labels: [string, string];
};

/** The default limit shows a cluster.yml of 3,000 lines with ten changes as one changed block. */
const DIFF = { scanLimit: 10_000, timeout: 500 };
const FOLD = { margin: 3, minSize: 4 };

/** Colours of ours over the syntax's, which are for light pages only. */
function look(dark: boolean): Extension {
  const theme = EditorView.theme(
    {
      "&": { fontSize: "13px", backgroundColor: "var(--bg)", color: "var(--text)" },
      ".cm-gutters": { backgroundColor: "var(--bg-head)", color: "var(--text-muted)", border: "none" },
      ".cm-collapsedLines": { color: "var(--text-muted)", background: "var(--bg-head)", padding: "3px 10px" },
      // The mark before the words is missing in common Chinese fonts and would be a box.
      ".cm-collapsedLines:before, .cm-collapsedLines:after": { content: '"⋯"', margin: "0 6px" },
      ".cm-content": { fontFamily: "ui-monospace, Menlo, Consolas, monospace" },
    },
    { dark },
  );
  return dark ? theme : [theme, syntaxHighlighting(defaultHighlightStyle)];
}

function extensions(props: Props, label: string): Extension {
  return [
    lineNumbers(),
    EditorState.readOnly.of(true),
    // Read-only, but focusable: a keyboard must be able to scroll it.
    EditorView.contentAttributes.of({ "aria-label": label, "aria-readonly": "true" }),
    EditorState.phrases.of(props.phrases),
    EditorView.lineWrapping,
    look(props.dark),
    props.language === "yaml" ? yaml() : [],
  ];
}

function make(parent: HTMLElement, props: Props): { destroy: () => void } {
  const [beforeLabel, afterLabel] = props.labels;
  if (props.unified) {
    const merge = unifiedMergeView({
      original: props.before,
      mergeControls: false,
      diffConfig: DIFF,
      collapseUnchanged: FOLD,
    });
    return new EditorView({ parent, doc: props.after, extensions: [extensions(props, afterLabel), merge] });
  }
  return new MergeView({
    parent,
    a: { doc: props.before, extensions: extensions(props, beforeLabel) },
    b: { doc: props.after, extensions: extensions(props, afterLabel) },
    diffConfig: DIFF,
    collapseUnchanged: FOLD,
  });
}

export default function DiffEditor(props: Props) {
  const parent = useRef<HTMLDivElement>(null);
  const { before, after, unified } = props;
  useEffect(() => {
    if (!parent.current) return undefined;
    const view = make(parent.current, props);
    return () => view.destroy();
    // Everything else is part of the key that `DiffView` gives.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [before, after, unified]);
  return <div ref={parent} className="diff-body" />;
}
