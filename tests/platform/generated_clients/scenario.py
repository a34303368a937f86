"""A scenario with a user and orders, with the client that openapi-python-client generates. Argument: the service's URL."""

import sys
from http import HTTPStatus

from client import AuthenticatedClient, Client
from client.api.orders import cancel_order, get_order, list_orders, pay_order, place_order
from client.api.users import delete_user, get_current_user, get_user, login, logout, register_user, update_user
from client.models import Login, NewOrder, Order, OrderLine, OrderPage, OrderStatus, Problem, Registration, Session
from client.models import User, UserChange

url = sys.argv[1]
email, password = "python@example.org", "correct horse battery staple"

with Client(base_url=url) as public:
    registered = register_user.sync_detailed(
        client=public, body=Registration(email=email, password=password, name="Ada Lovelace")
    )
    assert registered.status_code == HTTPStatus.CREATED and isinstance(registered.parsed, User), registered
    user = registered.parsed
    assert registered.headers["location"] == f"/users/{user.id}" and registered.headers["x-request-id"]

    again = register_user.sync(client=public, body=Registration(email=email, password=password, name="Ada"))
    assert isinstance(again, Problem) and again.status == HTTPStatus.CONFLICT and again.request_id, again

    invalid = register_user.sync(client=public, body=Registration(email="nobody", password=password, name=""))
    assert isinstance(invalid, Problem) and invalid.errors, invalid
    assert {error.field for error in invalid.errors} == {"email", "name"}, invalid

    session = login.sync(client=public, body=Login(email=email, password=password))
    assert isinstance(session, Session) and session.user_id == user.id, session
    refused = login.sync(client=public, body=Login(email=email, password="not this one"))
    assert isinstance(refused, Problem) and refused.status == HTTPStatus.UNAUTHORIZED, refused

with AuthenticatedClient(base_url=url, token=session.token) as api:
    me = get_current_user.sync_detailed(client=api)
    assert isinstance(me.parsed, User) and me.parsed.email == email, me
    known = get_current_user.sync_detailed(client=api, if_none_match=me.headers["etag"])
    assert known.status_code == HTTPStatus.NOT_MODIFIED and known.parsed is None, known

    new = NewOrder(lines=[OrderLine(sku="A-1", quantity=2, unit_price_cents=1250)])
    placed = place_order.sync_detailed(client=api, body=new, idempotency_key="python-1")
    assert placed.status_code == HTTPStatus.CREATED and isinstance(placed.parsed, Order), placed
    order = placed.parsed
    assert order.status is OrderStatus.PLACED and order.total_cents == 2500, order
    repeated = place_order.sync(client=api, body=new, idempotency_key="python-1")
    assert isinstance(repeated, Order) and repeated.id == order.id, repeated

    second = place_order.sync(client=api, body=new)
    assert isinstance(second, Order) and second.id != order.id, second
    listed_ids = set()
    after = None
    while True:
        page = list_orders.sync(client=api, limit=1) if after is None else list_orders.sync(client=api, limit=1, after=after)
        assert isinstance(page, OrderPage), page
        listed_ids |= {item.id for item in page.items}
        after = page.next_
        if after is None:
            break
    assert listed_ids == {order.id, second.id}, listed_ids

    read = get_order.sync_detailed(order.id, client=api)
    assert isinstance(read.parsed, Order) and read.parsed == order, read
    known = get_order.sync_detailed(order.id, client=api, if_none_match=read.headers["etag"])
    assert known.status_code == HTTPStatus.NOT_MODIFIED, known
    paid = pay_order.sync(order.id, client=api)
    assert isinstance(paid, Order) and paid.status is OrderStatus.PAID, paid
    read = get_order.sync_detailed(order.id, client=api, if_none_match=read.headers["etag"])
    assert read.status_code == HTTPStatus.OK, read
    cancelled = cancel_order.sync(second.id, client=api)
    assert isinstance(cancelled, Order) and cancelled.status is OrderStatus.CANCELLED, cancelled
    late = pay_order.sync(second.id, client=api)
    assert isinstance(late, Problem) and late.status == HTTPStatus.CONFLICT and late.detail, late
    listed = list_orders.sync(client=api, status=OrderStatus.PAID)
    assert isinstance(listed, OrderPage) and [item.id for item in listed.items] == [order.id] and listed.next_ is None

    changed = update_user.sync_detailed(user.id, client=api, body=UserChange(name="Ada King"), if_match=me.headers["etag"])
    assert isinstance(changed.parsed, User) and changed.parsed.name == "Ada King", changed
    stale = update_user.sync(user.id, client=api, body=UserChange(name="Ada"), if_match=me.headers["etag"])
    assert isinstance(stale, Problem) and stale.status == HTTPStatus.PRECONDITION_FAILED, stale
    current = get_user.sync(user.id, client=api)
    assert isinstance(current, User) and current == changed.parsed, current

    assert logout.sync_detailed(client=api).status_code == HTTPStatus.NO_CONTENT
    gone = get_current_user.sync(client=api)
    assert isinstance(gone, Problem) and gone.status == HTTPStatus.UNAUTHORIZED, gone

with Client(base_url=url) as public:
    session = login.sync(client=public, body=Login(email=email, password=password))
    assert isinstance(session, Session), session
with AuthenticatedClient(base_url=url, token=session.token) as api:
    assert delete_user.sync_detailed(user.id, client=api).status_code == HTTPStatus.NO_CONTENT
    assert get_current_user.sync_detailed(client=api).status_code == HTTPStatus.UNAUTHORIZED
