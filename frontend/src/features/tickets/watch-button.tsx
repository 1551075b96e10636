/** Follow a ticket: it shows under "watching" in the inbox. Props: `ticket`. */
import { EyeInvisibleOutlined, EyeOutlined } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { sendWatch, ticketKeys } from "./queries";
import type { Ticket } from "./types";

export function WatchButton({ ticket }: { ticket: Ticket }) {
  const { t } = useTranslation("tickets");
  const queryClient = useQueryClient();
  const watch = useMutation({
    mutationFn: (on: boolean) => sendWatch(ticket.id, on),
    onSuccess: (_nothing, on) => {
      queryClient.setQueryData<Ticket>(ticketKeys.detail(ticket.id), (before) => before && { ...before, watching: on });
      void queryClient.invalidateQueries({ queryKey: ["inbox"] });
    },
  });
  return (
    <Button
      icon={ticket.watching ? <EyeInvisibleOutlined /> : <EyeOutlined />}
      loading={watch.isPending}
      onClick={() => watch.mutate(!ticket.watching)}
    >
      {t(ticket.watching ? "head.unwatch" : "head.watch")}
    </Button>
  );
}
