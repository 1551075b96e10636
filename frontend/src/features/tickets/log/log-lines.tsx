/** Lines of a log, painted only where they are looked at. A line that is not there yet says "loading" at its place.
 * Give it another key when `wrap` changes. Props: `count` rows; `rowAt`, `numberAt` of an index; `current` the marked one; `q` is marked in the text. */
import { memo, type ReactNode, type Ref, useImperativeHandle, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Virtuoso, type VirtuosoHandle } from "react-virtuoso";
import type { Line } from "./log-sources";
import { pieces } from "./match-finder";

/** A million of them are not higher than what browsers can scroll (Firefox: 17.9 million pixels). */
const LINE_HEIGHT = 17;

export type LinesHandle = { show: (index: number, align?: "center" | "start" | "end") => void };

export type LinesProps = {
  ref?: Ref<LinesHandle>;
  label: string;
  count: number;
  firstIndex?: number;
  rowAt: (index: number) => Line | null;
  numberAt: (index: number) => number;
  /** The node that said it, where several are shown. */
  nameAt?: (index: number) => string;
  keyAt?: (index: number) => string | number;
  current: number | null;
  q: string;
  wrap: boolean;
  /** Where it begins. */
  top: number;
  topAlign: "center" | "end" | "start";
  follows: boolean;
  header?: ReactNode;
  footer?: ReactNode;
  onPick: (index: number) => void;
  onRange: (first: number, last: number) => void;
  onBottom: (at: boolean) => void;
  onAway: () => void;
  onTop?: () => void;
  onEnd?: () => void;
};

/** The time of day where the reader is, with milliseconds. */
function clock(at: string | null): string {
  if (at === null) return "";
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function Marked({ text, q }: { text: string; q: string }) {
  if (q === "") return <>{text}</>;
  return <>{pieces(text, q).map((piece, index) => (index % 2 === 1 ? <mark key={index}>{piece}</mark> : piece))}</>;
}

type RowProps = { line: Line | null; n: number; name: string | null; current: boolean; q: string; onPick: () => void };

const Row = memo(
  function Row({ line, n, name, current, q, onPick }: RowProps) {
    const { t } = useTranslation("log");
    return (
      <div className="log-line" data-level={line?.level} data-current={current || undefined} data-n={n}>
        <button type="button" className="log-n" tabIndex={-1} title={t("line.pick", { n })} onClick={onPick}>
          {n}
        </button>
        {name !== null && (
          <bdi className="log-node ellipsis" title={name}>
            {name}
          </bdi>
        )}
        {line === null ? (
          <span className="log-missing">{t("line.loading")}</span>
        ) : (
          <>
            <time className="log-at" dateTime={line.at ?? undefined} title={line.at ?? undefined}>
              {clock(line.at)}
            </time>
            <span className="log-level">{line.level === "info" ? "" : t(`mark.${line.level}`)}</span>
            <bdi className="log-text">
              <Marked text={line.text} q={q} />
              {line.cut && <em className="log-cut">{t("line.cut")}</em>}
            </bdi>
          </>
        )}
      </div>
    );
  },
  (before, after) =>
    before.line === after.line &&
    before.n === after.n &&
    before.name === after.name &&
    before.current === after.current &&
    before.q === after.q,
);

type Ends = { header: ReactNode; footer: ReactNode };
/** Made once: a component that is another one at each paint would be taken out and put in again. */
const ENDS = {
  Header: ({ context }: { context?: Ends }) => <>{context?.header}</>,
  Footer: ({ context }: { context?: Ends }) => <>{context?.footer}</>,
};

export function LogLines(props: LinesProps) {
  const list = useRef<VirtuosoHandle>(null);
  const last = useRef(0);
  // Where it begins is said once: said again, it would go back there.
  const [begin] = useState(() => ({ index: Math.max(0, props.top), align: props.topAlign }));
  const first = props.firstIndex ?? 0;
  useImperativeHandle(props.ref, () => ({
    show: (index, align = "center") => list.current?.scrollToIndex({ index, align, behavior: "auto" }),
  }));
  const scrolled = (event: React.UIEvent<HTMLElement>) => {
    const top = event.currentTarget.scrollTop;
    if (top < last.current) props.onAway();
    last.current = top;
  };
  return (
    <Virtuoso<unknown, Ends>
      ref={list}
      className="log-lines"
      data-wrap={props.wrap || undefined}
      data-testid="log-lines"
      role="group"
      aria-label={props.label}
      totalCount={props.count}
      firstItemIndex={first}
      increaseViewportBy={400}
      defaultItemHeight={LINE_HEIGHT}
      initialTopMostItemIndex={begin}
      followOutput={() => (props.follows ? "auto" : false)}
      atBottomThreshold={LINE_HEIGHT}
      atBottomStateChange={props.onBottom}
      rangeChanged={({ startIndex, endIndex }) => props.onRange(startIndex - first, endIndex - first)}
      {...(props.onTop ? { startReached: props.onTop } : {})}
      {...(props.onEnd ? { endReached: props.onEnd } : {})}
      onScroll={scrolled}
      {...(props.keyAt ? { computeItemKey: (index: number) => props.keyAt!(index - first) } : {})}
      context={{ header: props.header, footer: props.footer }}
      components={ENDS}
      itemContent={(absolute) => {
        const index = absolute - first;
        return (
          <Row
            line={props.rowAt(index)}
            n={props.numberAt(index)}
            name={props.nameAt?.(index) ?? null}
            current={index === props.current}
            q={props.q}
            onPick={() => props.onPick(index)}
          />
        );
      }}
    />
  );
}
