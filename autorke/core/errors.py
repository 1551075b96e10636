"""Every error of the product: one class each, with an HTTP status, a stable code, and texts in zh and en.

A subclass sets `status`, `code`, `text`; its texts may use the keyword arguments of the constructor as `{name}`.
`web.problems` turns any of them into problem+json; the command line prints the same three facts: field, cause, remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Text:
    """One sentence for people, in both languages of the product."""

    zh: str
    en: str

    def format(self, **values: object) -> Text:
        return Text(zh=self.zh.format(**values), en=self.en.format(**values))

    def as_json(self) -> dict[str, str]:
        return {"zh": self.zh, "en": self.en}


class AutoRkeError(Exception):
    """Something that we know how to explain."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    text: ClassVar[Text] = Text(zh="内部错误", en="Internal error")
    remedy: ClassVar[Text] = Text(zh="", en="")
    errors: Sequence[Mapping[str, Any]] = ()
    """Every single fault, where one request has many: `{field, cause: {zh, en}}` and what else places it."""

    def __init__(self, *, field: str | None = None, **values: Any) -> None:
        self.field = field
        self.values = values
        self.message = self.text.format(**values)
        self.hint = self.remedy.format(**values)
        super().__init__(self.message.en)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.field, self.values))

    def as_json(self) -> dict[str, Any]:
        """`{code, field, cause: {zh, en}, remedy: {zh, en}}`: the form in problem+json, events and node results."""
        return {
            "code": self.code,
            "field": self.field,
            "cause": self.message.as_json(),
            "remedy": self.hint.as_json(),
        }


def _rebuild(kind: type[AutoRkeError], field: str | None, values: dict[str, Any]) -> AutoRkeError:
    return kind(field=field, **values)


class NotFound(AutoRkeError):
    status = 404
    code = "not-found"
    text = Text(zh="没有这个{what}：{key}", en="No such {what}: {key}")
    remedy = Text(zh="检查名称或编号，或确认您有权查看", en="Check the name or id, and that you may see it")


class Conflict(AutoRkeError):
    status = 409
    code = "conflict"
    text = Text(zh="现在不能这样做：{reason}", en="Not possible now: {reason}")


class InvalidTransition(Conflict):
    code = "invalid-transition"
    text = Text(zh="{what} 处于 {state}，不能 {action}", en="{what} is {state}; it cannot {action}")
    remedy = Text(zh="刷新后按当前状态操作", en="Reload and act on the current state")


class Forbidden(AutoRkeError):
    status = 403
    code = "forbidden"
    text = Text(zh="您没有权限：{permission}", en="You lack the permission: {permission}")
    remedy = Text(zh="请管理员授予相应角色", en="Ask an admin for a role that holds it")


class Unauthenticated(AutoRkeError):
    status = 401
    code = "unauthenticated"
    text = Text(zh="请先登录", en="Sign in first")
    remedy = Text(zh="登录或提供有效令牌", en="Log in or send a valid token")


class Unprocessable(AutoRkeError):
    """The request is well-formed but says something that cannot be: `field` names where."""

    status = 422
    code = "unprocessable"
    text = Text(zh="{reason_zh}", en="{reason_en}")


class PayloadTooLarge(AutoRkeError):
    status = 413
    code = "payload-too-large"
    text = Text(zh="请求体超过 {limit} 字节", en="The body is larger than {limit} bytes")
    remedy = Text(zh="拆分后再提交", en="Send less at once")


class Unavailable(AutoRkeError):
    status = 503
    code = "unavailable"
    text = Text(zh="{what} 暂时不可用", en="{what} is not available at the moment")
    remedy = Text(zh="稍后再试", en="Try again later")
