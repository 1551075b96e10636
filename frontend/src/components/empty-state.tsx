/** Nothing to show, and what to do about it. Props: `title`; `text` why or what next; `action` a button or link. */
import { Empty } from "antd";
import type { ReactNode } from "react";

export function EmptyState({ title, text, action }: { title: string; text?: ReactNode; action?: ReactNode }) {
  return (
    <div className="empty-state" role="status">
      <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={null} />
      <strong>{title}</strong>
      {text && <span className="muted">{text}</span>}
      {action}
    </div>
  );
}
