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
      {/* The tooltip belongs to a box around the button: it would replace aria-describedby while it is open. */}
      <Tooltip title={reason} trigger={["hover", "focus"]}>
        <span className="reason-box">
          <Button
            {...rest}
            htmlType="button"
            className={`not-now ${rest.className ?? ""}`}
            aria-disabled="true"
            aria-describedby={id}
          />
        </span>
      </Tooltip>
      <span id={id} className="visually-hidden">
        {reason}
      </span>
    </>
  );
}
