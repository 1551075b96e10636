/** Something that is stuck, as the api tells it. */
import type { StuckOut } from "../api/client";

export function makeStuck(changes: Partial<StuckOut> = {}): StuckOut {
  return {
    id: "01900000-0000-7000-8000-0000000000f1",
    cause: "hints_not_taken",
    title: { zh: "没有 Celery worker 在领取启动通知", en: "No Celery worker takes hints" },
    remedy: { zh: "重启 autorke-worker", en: "Restart autorke-worker" },
    since: "2026-11-25T21:00:00Z",
    seen_at: "2026-11-25T21:00:30Z",
    everybody: true,
    mine: true,
    tickets: [],
    more_tickets: 0,
    repair: {
      label: { zh: "直接领取", en: "Take starts directly" },
      effect: { zh: "执行主机直接领取", en: "Worker hosts take what is ready" },
      lasting: true,
      allowed: true,
      reason: null,
    },
    go: null,
    repair_by: null,
    repair_at: null,
    ...changes,
  };
}
