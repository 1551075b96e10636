"""What can go wrong with people, sign-ins and roles."""

from __future__ import annotations

from autorke.core.errors import (
    AutoRkeError,
    Conflict,
    Forbidden,
    NotFound,
    Text,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)


class LoginRefused(Unauthenticated):
    """One answer for a wrong name, a wrong password and a disabled account: it tells nobody which names exist."""

    code = "login-refused"
    text = Text(zh="用户名或密码不正确", en="The name or the password is wrong")
    remedy = Text(zh="检查后重试；忘记密码请联系管理员", en="Check both; an admin can set a new password")


class TooManyLogins(AutoRkeError):
    status = 429
    code = "too-many-logins"
    text = Text(zh="登录尝试过多，请 {retry_after} 秒后再试", en="Too many sign-ins tried; wait {retry_after} s")
    remedy = Text(zh="等待后再试", en="Wait, then try again")


class CsrfRefused(Forbidden):
    code = "csrf-refused"
    text = Text(zh="缺少或错误的 X-CSRF-Token", en="X-CSRF-Token is missing or wrong")
    remedy = Text(
        zh="把 cookie autorke_csrf 的值放入该请求头", en="Send the value of cookie autorke_csrf in that header"
    )


class LoginNeeded(Forbidden):
    """An API token must not mint tokens or change passwords: it would outgrow its own scopes."""

    code = "login-needed"
    text = Text(zh="此操作需要登录会话，不能使用令牌", en="This takes a signed-in session, not a token")
    remedy = Text(zh="用密码或 SSO 登录后操作", en="Sign in by password or SSO")


class LastAdmin(Conflict):
    code = "last-admin"
    text = Text(zh="这是最后一个可用的管理员", en="This is the last enabled admin")
    remedy = Text(zh="先让另一个用户成为全局管理员", en="First make another user an admin of all clusters")


class WrongPassword(Unprocessable):
    code = "wrong-password"
    text = Text(zh="当前密码不正确", en="The present password is wrong")
    remedy = Text(zh="输入当前密码", en="Enter the present password")


class UserExists(Conflict):
    code = "user-exists"
    text = Text(zh="用户名 {name} 已存在", en="The user name {name} is taken")
    remedy = Text(zh="换一个用户名", en="Choose another name")


class TokenExists(Conflict):
    code = "token-exists"
    text = Text(zh="您已有名为 {name} 的令牌", en="You already have a token named {name}")
    remedy = Text(zh="换一个名称，或先删除它", en="Choose another name, or delete that one first")


class BindingExists(Conflict):
    code = "binding-exists"
    text = Text(zh="该用户已有此角色", en="The user already holds this role there")


class StillInUse(Conflict):
    code = "user-in-use"
    text = Text(zh="仍有记录指向用户 {name}", en="Records still refer to user {name}")
    remedy = Text(zh="停用该用户即可", en="Disable the user instead")


class OidcOff(NotFound):
    code = "sso-off"
    text = Text(zh="没有配置单点登录", en="Single sign-on is not configured")
    remedy = Text(zh="设置 AUTORKE_OIDC_ISSUER 等变量", en="Set AUTORKE_OIDC_ISSUER and the others")


class OidcUnavailable(Unavailable):
    code = "sso-unavailable"
    text = Text(zh="单点登录服务不可用：{reason}", en="The single sign-on provider does not serve: {reason}")
    remedy = Text(zh="稍后再试，或用本地账号登录", en="Try again later, or sign in with a local account")


class OidcRefused(Unauthenticated):
    code = "sso-refused"
    text = Text(zh="单点登录未完成：{reason}", en="Single sign-on was not completed: {reason}")
    remedy = Text(zh="重新从登录页开始", en="Start again from the sign-in page")


class OidcNameTaken(Conflict):
    """Never linked by name alone: whoever controls names at the provider would take over local accounts."""

    code = "sso-name-taken"
    text = Text(zh="已有同名的账号 {name}，未与单点登录关联", en="There is an account {name} that is not linked to SSO")
    remedy = Text(
        zh="请管理员把该账号的 oidc_subject 设为 {subject}",
        en="An admin may set oidc_subject of that account to {subject}",
    )


class OidcNoAccount(Forbidden):
    code = "sso-no-account"
    text = Text(zh="您还没有账号", en="You have no account here")
    remedy = Text(
        zh="请管理员建立 oidc_subject 为 {subject} 的账号", en="Ask an admin for an account with oidc_subject {subject}"
    )
