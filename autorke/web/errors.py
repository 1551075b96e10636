"""Errors of the HTTP layer itself: what is wrong with a request before any slice has seen it."""

from __future__ import annotations

from autorke.core.errors import AutoRkeError, Conflict, Text, Unavailable, Unprocessable


class Malformed(AutoRkeError):
    """The body is not JSON; `line` and `column` count from 1."""

    status = 400
    code = "malformed-json"
    text = Text(zh="请求体不是合法的 JSON：第 {line} 行第 {column} 列", en="Not JSON: line {line} column {column}")
    remedy = Text(zh="修正该位置后重新提交", en="Correct that place and send it again")


class BadRequest(AutoRkeError):
    status = 400
    code = "bad-request"
    text = Text(zh="无法理解该请求", en="The request cannot be understood")
    remedy = Text(zh="对照接口文档检查请求", en="Compare the request with the API description")


class InvalidRequest(Unprocessable):
    """One or more fields are refused; `problem.errors` lists them all, `field` is the first."""

    code = "invalid-request"
    text = Text(zh="请求有 {count} 处不合法，首先是 {first}：{zh}", en="{count} invalid value(s), first {first}: {en}")
    remedy = Text(zh="按 errors 逐项修正", en="Correct each item of errors")


class ForbiddenCharacter(Unprocessable):
    code = "forbidden-character"
    text = Text(zh="字段含有不能保存的字符（NUL 或残缺的代理项）", en="The text holds NUL or half a surrogate pair")
    remedy = Text(zh="删除该字符", en="Remove that character")


class TooDeep(Unprocessable):
    """What nests deeper could be stored and then never be shown again: serialisers give up long before parsers do."""

    code = "json-too-deep"
    text = Text(zh="JSON 嵌套超过 {limit} 层", en="The JSON is nested deeper than {limit} levels")
    remedy = Text(zh="减少嵌套层数", en="Nest it less")


class RouteNotFound(AutoRkeError):
    status = 404
    code = "route-not-found"
    text = Text(zh="没有这个接口", en="No such route")
    remedy = Text(zh="检查路径", en="Check the path")


class MethodNotAllowed(AutoRkeError):
    status = 405
    code = "method-not-allowed"
    text = Text(zh="该接口不支持此方法", en="This route does not take that method")
    remedy = Text(zh="使用 Allow 头列出的方法", en="Use a method of the Allow header")


class RequestTimeout(AutoRkeError):
    status = 408
    code = "request-timeout"
    text = Text(zh="请求体在 {seconds} 秒内没有收完", en="The body did not arrive within {seconds} s")
    remedy = Text(zh="检查网络后重试", en="Check the network and try again")


class AlreadyExists(Conflict):
    code = "already-exists"
    text = Text(zh="已经存在：{what}", en="Already exists: {what}")
    remedy = Text(zh="换一个值，或修改已有的对象", en="Choose another value, or change the existing object")


class StillReferenced(Conflict):
    code = "reference-conflict"
    text = Text(zh="引用的对象不存在，或对象仍被引用：{what}", en="Refers to nothing, or is referred to: {what}")
    remedy = Text(zh="检查编号，或先处理引用它的对象", en="Check the id, or first deal with what refers to it")


class RuleViolated(Conflict):
    code = "rule-violated"
    text = Text(zh="违反数据规则：{what}", en="A rule of the data forbids this: {what}")


class ConcurrentChange(Conflict):
    code = "concurrent-change"
    text = Text(zh="同时有人在修改同一对象", en="Somebody else changed the same object at this moment")
    remedy = Text(zh="刷新后重试", en="Reload and try again")


class ValueNotStorable(Unprocessable):
    code = "value-not-storable"
    text = Text(zh="有一个值超出可保存的范围", en="A value is outside of what can be stored")
    remedy = Text(zh="检查数字大小和日期", en="Check the size of numbers and dates")


class DatabaseUnavailable(Unavailable):
    code = "database-unavailable"
    text = Text(zh="数据库暂时不可用", en="The database is not available at the moment")


class DatabaseFull(Unavailable):
    """Nothing is lost: what could not be written was not accepted. Reading may go on meanwhile."""

    code = "database-full"
    text = Text(
        zh="数据库没有空间了，这次请求没有保存", en="The database has no space left; this request was not saved"
    )
    remedy = Text(
        zh="请管理员在数据库所在磁盘上腾出空间，然后再试",
        en="Ask an admin to free space on the database's disk, then try again",
    )


class TooManyStreams(Unavailable):
    code = "too-many-streams"
    text = Text(zh="本进程的事件流已达上限 {limit}", en="This process already serves {limit} event streams")


class BadCursor(Unprocessable):
    code = "bad-cursor"
    text = Text(zh="翻页标记无效", en="The cursor is not valid for this list")
    remedy = Text(zh="去掉 cursor，从第一页开始", en="Drop cursor and start from the first page")


class BadFilter(Unprocessable):
    code = "bad-filter"
    text = Text(zh="过滤条件 {text} 不合法：{zh}", en="The filter {text} is not valid: {en}")
    remedy = Text(zh="写成 列:操作:值，可用的列：{columns}", en="Write column:operator:value; columns: {columns}")


class BadSort(Unprocessable):
    code = "bad-sort"
    text = Text(zh="不能按 {column} 排序", en="Cannot sort by {column}")
    remedy = Text(zh="可用的列：{columns}", en="Columns to sort by: {columns}")


class UnknownParameter(Unprocessable):
    code = "unknown-parameter"
    text = Text(zh="没有查询参数 {name}", en="No query parameter {name}")
    remedy = Text(zh="可用的参数：{known}", en="Parameters: {known}")
