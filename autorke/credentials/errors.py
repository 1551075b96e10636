"""Refusals of secrets. None of them repeats what was sent."""

from __future__ import annotations

from autorke.core.errors import Conflict, Text, Unprocessable


class KeyUnreadable(Unprocessable):
    code = "ssh-key-unreadable"
    text = Text(zh="不是可读的 SSH 私钥，或口令不对", en="Not a readable SSH private key, or the passphrase is wrong")
    remedy = Text(
        zh="粘贴完整的 OpenSSH 或 PEM 私钥（含 BEGIN/END 行）；公钥不行",
        en="Paste the whole OpenSSH or PEM private key with its BEGIN and END lines; a public key will not do",
    )


class KeyTooWeak(Unprocessable):
    code = "ssh-key-too-weak"
    text = Text(zh="不接受这种私钥：{kind}", en="This kind of key is not accepted: {kind}")
    remedy = Text(
        zh="使用 Ed25519、ECDSA 或不少于 2048 位的 RSA", en="Use Ed25519, ECDSA, or RSA of at least 2048 bits"
    )


class KubeconfigRefused(Unprocessable):
    code = "kubeconfig-refused"
    text = Text(zh="kubeconfig 不可用：{zh}", en="This kubeconfig cannot be used: {en}")
    remedy = Text(
        zh="导出证书和令牌内嵌的 kubeconfig：kubectl config view --raw --flatten --minify",
        en="Export one with its data inside: kubectl config view --raw --flatten --minify",
    )


class KindDiffers(Conflict):
    code = "credential-kind-differs"
    text = Text(zh="凭据的类型是 {kind}，不能改为 {given}", en="The credential is a {kind}; it cannot become a {given}")
    remedy = Text(zh="新建一个凭据", en="Make a new credential")


class WrongKind(Unprocessable):
    code = "credential-wrong-kind"
    text = Text(
        zh="凭据 {name} 的类型是 {kind}，此处需要 {wanted}", en="Credential {name} is a {kind}; needed: {wanted}"
    )
    remedy = Text(zh="选择合适类型的凭据", en="Choose a credential of a fitting kind")


class StaleCredential(Conflict):
    code = "stale-credential"
    text = Text(zh="凭据 {name} 已被他人更新到版本 {version}", en="Somebody else has changed {name}: version {version}")
    remedy = Text(zh="刷新后重试", en="Reload and try again")


class CredentialExists(Conflict):
    code = "credential-exists"
    text = Text(zh="已有名为 {name} 的凭据", en="There is a credential named {name}")
    remedy = Text(zh="换一个名称", en="Choose another name")


class CredentialInUse(Conflict):
    code = "credential-in-use"
    text = Text(zh="凭据 {name} 仍被引用", en="Credential {name} is still in use")
    remedy = Text(
        zh="先让机器、集群或 CMDB 改用别的凭据", en="First give its machines, clusters or CMDB sources another one"
    )
