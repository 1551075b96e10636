/** Locks of a cluster: which ticket holds what, who waits, and taking one away where no attempt can act any more. */
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Flex, Table } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { LockOut } from "../../api/client";
import { asProblem, pick } from "../../api/problem";
import { ConfirmDanger } from "../../components/confirm-danger";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { TimeText } from "../../components/time-text";
import { may, meQuery } from "../../lib/queries";
import { locksQuery, release } from "./queries";

function Ticket({ number }: { number: number }) {
  return (
    <Link to={"/tickets/$ticket" as string} params={{ ticket: String(number) } as never}>
      #{number}
    </Link>
  );
}

export function Locks({ clusterId }: { clusterId: string }) {
  const { t, i18n } = useTranslation("clusters");
  const { data: me } = useSuspenseQuery(meQuery);
  const queryClient = useQueryClient();
  const locks = useQuery(locksQuery);
  const [asked, setAsked] = useState<LockOut | null>(null);
  const free = useMutation({
    mutationFn: (reason: string) => release(asked!.kind, asked!.key, reason),
    onSuccess: () => setAsked(null),
    onSettled: () => queryClient.invalidateQueries({ queryKey: locksQuery.queryKey }),
  });
  const allowed = may(me, "lock:release", clusterId) ? null : t("lock.notAllowed");
  const shown = (locks.data?.items ?? []).filter((lock) => lock.cluster_id === clusterId || lock.key === clusterId);
  return (
    <Flex vertical gap={12}>
      {locks.error && <ProblemAlert problem={asProblem(locks.error)} />}
      <Table<LockOut>
        rowKey={(lock) => `${lock.kind} ${lock.key}`}
        size="small"
        loading={locks.isLoading}
        pagination={false}
        dataSource={shown}
        columns={[
          { title: t("lock.what"), key: "what", render: (_, lock) => `${t(`lock.kind.${lock.kind}`)} ${lock.name}` },
          {
            title: t("lock.holder"),
            key: "holder",
            render: (_, lock) => (
              <>
                <Ticket number={lock.ticket_number} /> {lock.ticket_summary} <span className="muted">{t(`ticket.${lock.ticket_state}`)}</span>
              </>
            ),
          },
          { title: t("lock.since"), dataIndex: "acquired_at", render: (at: string) => <TimeText at={at} /> },
          {
            title: t("lock.waiting"),
            key: "waiting",
            render: (_, lock) =>
              lock.waiting.length === 0 ? "–" : lock.waiting.map((one) => <Ticket key={one.ticket_id} number={one.ticket_number} />),
          },
          {
            title: t("lock.release"),
            key: "release",
            render: (_, lock) => (
              <ReasonButton
                size="small"
                danger
                reason={allowed ?? (lock.obstacle && pick(lock.obstacle, i18n.language))}
                onClick={() => setAsked(lock)}
              >
                {t("lock.release")}
              </ReasonButton>
            ),
          },
        ]}
        locale={{ emptyText: <EmptyState title={t("lock.none")} /> }}
      />
      <ConfirmDanger
        open={asked !== null}
        title={t("lock.title", { name: asked?.name ?? "" })}
        name={asked?.name ?? ""}
        effect={t("lock.effect", { number: asked?.ticket_number ?? 0 })}
        affected={asked?.waiting.map((one) => `#${one.ticket_number}`) ?? []}
        okText={t("lock.release")}
        needsReason
        pending={free.isPending}
        problem={free.error ? asProblem(free.error) : null}
        onConfirm={(reason) => free.mutate(reason ?? "")}
        onCancel={() => setAsked(null)}
      />
    </Flex>
  );
}
