/** A button that says why it cannot be used.
 * Props: antd's Button props; `reason` null = usable, a text = not now, and that is why. It stays focusable
 * (aria-disabled), so that a keyboard or a screen reader reaches the reason. */
import { Button, type ButtonProps, Tooltip } from "antd";
import { useId } from "react";

export function ReasonButton({ reason, onClick, ...rest }: ButtonProps & { reason: string | null }) {
  const id = useId();
  if (reason === null) return <Button {...rest} {...(onClick ? { onClick } : {})} />;
  return (
    <>
      <Tooltip title={reason} trigger={["hover", "focus"]}>
        <Button
          {...rest}
          htmlType="button"
          className={`not-now ${rest.className ?? ""}`}
          aria-disabled="true"
          aria-describedby={id}
        />
      </Tooltip>
      <span id={id} className="visually-hidden">
        {reason}
      </span>
    </>
  );
}
