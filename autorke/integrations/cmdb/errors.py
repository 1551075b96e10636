"""What can go wrong with an outside CMDB. Any of these ends the sync before the first row is written."""

from __future__ import annotations

from autorke.core.errors import AutoRkeError, Text


class CmdbError(AutoRkeError):
    status = 502
    code = "cmdb-error"
    text = Text(zh="CMDB 出错：{reason}", en="The CMDB failed: {reason}")


class CmdbUnreachable(CmdbError):
    code = "cmdb-unreachable"
    text = Text(zh="无法访问 CMDB：{reason}", en="The CMDB cannot be reached: {reason}")
    remedy = Text(zh="检查地址、网络与证书", en="Check its URL, the network and its certificate")


class CmdbRefused(CmdbError):
    code = "cmdb-refused"
    text = Text(zh="CMDB 返回状态码 {status_code}", en="The CMDB answered with status {status_code}")
    remedy = Text(zh="检查凭据、请求方法与参数", en="Check the credential, method and parameters")


class CmdbMalformed(CmdbError):
    code = "cmdb-malformed"
    text = Text(zh="CMDB 的应答无法解析：{reason}", en="The CMDB's answer cannot be read: {reason}")
    remedy = Text(zh="用字段映射预览核对应答的结构", en="Compare the answer's structure in the mapping preview")


class CmdbIncomplete(CmdbError):
    code = "cmdb-incomplete"
    text = Text(
        zh="CMDB 的应答不完整：应有 {expected} 行，收到 {received} 行",
        en="The CMDB's answer is incomplete: {expected} rows announced, {received} received",
    )
    remedy = Text(zh="没有做任何修改；待 CMDB 恢复后再同步", en="Nothing was changed; sync again when the CMDB is well")


class CmdbTooLarge(CmdbError):
    code = "cmdb-too-large"
    text = Text(zh="CMDB 的应答超过上限：{limit}", en="The CMDB's answer is over the limit: {limit}")
    remedy = Text(zh="提高该来源的上限，或减小每页大小", en="Raise this source's limit or ask for smaller pages")


class FilledByImports(CmdbError):
    """There is nothing to ask: the content comes with each import."""

    status = 409
    code = "cmdb-filled-by-imports"
    text = Text(zh="该来源由导入的文件填充，不能同步或配置", en="This source is filled by imported files, not asked")
    remedy = Text(
        zh="再次导入文件：autorke machine import 文件", en="Import the file again: autorke machine import FILE"
    )


class AddressDenied(CmdbError):
    """The URL leads where the platform must not be sent (link-local, metadata services, own loopback)."""

    status = 422
    code = "cmdb-address-denied"
    text = Text(zh="不允许访问 {host}（{address}）", en="{host} ({address}) may not be contacted")
    remedy = Text(
        zh="填写 CMDB 的真实地址；仅本机测试可开启 allow_loopback",
        en="Give the CMDB's real address; allow_loopback is for tests on this machine only",
    )
