/** Whether the reader is kept at the end of a growing log, and how much came while he was not. Pure. */
export type Follow = { on: boolean; seen: number; total: number };

export type FollowEvent =
  | { kind: "grew"; total: number }
  /** Reached the end by himself. */
  | { kind: "bottom"; open: boolean }
  /** Went upwards, or to a certain line. */
  | { kind: "away" }
  | { kind: "toggle" };

export function startFollow(total: number, on: boolean): Follow {
  return { on, seen: total, total };
}

export function follow(state: Follow, event: FollowEvent): Follow {
  switch (event.kind) {
    case "grew":
      if (event.total === state.total) return state;
      return { ...state, total: event.total, seen: state.on ? event.total : state.seen };
    case "bottom":
      return { ...state, on: event.open || state.on, seen: state.total };
    case "away":
      return state.on ? { ...state, on: false, seen: state.total } : state;
    case "toggle":
      return { ...state, on: !state.on, seen: state.total };
  }
}

export function newLines(state: Follow): number {
  return state.on ? 0 : Math.max(0, state.total - state.seen);
}
