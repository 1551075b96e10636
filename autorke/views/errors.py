"""What can stand in the way of a saved view."""

from __future__ import annotations

from autorke.core.errors import Conflict, Forbidden, Text, Unprocessable


class NotTheOwner(Forbidden):
    code = "view-of-somebody-else"
    text = Text(zh="视图 {name} 属于 {owner}", en="The view {name} belongs to {owner}")
    remedy = Text(zh="另存为自己的视图", en="Save it as a view of your own")


class ViewExists(Conflict):
    code = "view-exists"
    text = Text(zh="您已有名为 {name} 的视图", en="You already have a view called {name}")
    remedy = Text(zh="换一个名称，或修改已有的视图", en="Choose another name, or change that view")


class TooManyViews(Conflict):
    code = "too-many-views"
    text = Text(zh="每人每页最多保存 {limit} 个视图", en="At most {limit} views for each person and page")
    remedy = Text(zh="先删除不用的视图", en="Delete one that is no longer used")


class ViewTooLarge(Unprocessable):
    code = "view-too-large"
    text = Text(zh="视图内容为 {size} 字节，最多 {limit} 字节", en="The view takes {size} bytes of at most {limit}")
    remedy = Text(zh="减少条件或列", en="Use fewer conditions or columns")
