/** A line to search by; Enter searches. Lighter than antd's Input, which a first page does without.
 * Props: `label` (also the placeholder), `onSearch(text)` for what is not blank; the line is empty afterwards. */
import { SearchOutlined } from "@ant-design/icons";
import { useState } from "react";

export function SearchBox({ label, onSearch }: { label: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState("");
  return (
    <form
      className="search-box"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() === "") return;
        onSearch(text);
        setText("");
      }}
    >
      <SearchOutlined aria-hidden />
      <input type="search" value={text} placeholder={label} aria-label={label} onChange={(event) => setText(event.target.value)} />
    </form>
  );
}
