/** antd's holder of messages and questions, and the functions that fill it. */
import { App } from "antd";
import type { useAppProps } from "antd/es/app/context";
import { useEffect } from "react";

function Speaker({ onReady }: { onReady: (notices: useAppProps) => void }) {
  const notices = App.useApp();
  useEffect(() => onReady(notices), [notices, onReady]);
  return null;
}

export default function NoticeHolder({ onReady }: { onReady: (notices: useAppProps) => void }) {
  return (
    <App component={false} message={{ maxCount: 3 }}>
      <Speaker onReady={onReady} />
    </App>
  );
}
