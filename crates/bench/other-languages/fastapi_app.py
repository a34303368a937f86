"""The orders API with FastAPI and SQLAlchemy's ORM, set up as in their documentation. Creates and fills its tables at start."""

import hashlib
import os
import secrets
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, delete, event, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SCHEME, PLACE = os.environ["DATABASE_URL"].split("://", 1)
IS_SQLITE = SCHEME == "sqlite"
URL = f"sqlite+aiosqlite:///{PLACE}" if IS_SQLITE else f"postgresql+asyncpg://{PLACE}"
insert = (sqlite if IS_SQLITE else postgresql).insert

# The same number of connections as in the service.
engine = create_async_engine(URL, pool_size=8, max_overflow=0)
Sessions = async_sessionmaker(engine, expire_on_commit=False)

if IS_SQLITE:

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection, _):
        cursor = connection.cursor()
        for pragma in ["journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000"]:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger, datetime: DateTime(timezone=True)}


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class Session(Base):
    __tablename__ = "sessions"
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    status: Mapped[str]
    total_cents: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int]
    lines: Mapped[list["Line"]] = relationship(lazy="selectin", order_by="Line.position")
    __table_args__ = (Index("orders_user_id", "user_id", "id"),)


class Line(Base):
    __tablename__ = "order_lines"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sku: Mapped[str]
    quantity: Mapped[int]
    unit_price_cents: Mapped[int]


class Key(Base):
    __tablename__ = "idempotency_keys"
    caller: Mapped[UUID] = mapped_column(primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    path: Mapped[str]
    body_hash: Mapped[bytes]
    answer: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


# SQLite returns times without their time zone, which is UTC.
Time = Annotated[datetime, PlainSerializer(lambda t: t.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z")]


class LineBody(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="forbid")
    sku: str = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=10_000)
    unit_price_cents: int = Field(ge=0, le=100_000_000)


class NewOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lines: list[LineBody] = Field(min_length=1, max_length=100)


class OrderBody(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    status: str
    lines: list[LineBody]
    total_cents: int
    created_at: Time
    updated_at: Time


class Page(BaseModel):
    items: list[OrderBody]
    next: UUID | None


class HttpProblem(Exception):
    def __init__(self, status, title, detail):
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail}


def sha256(data):
    return hashlib.sha256(data).digest()


def uuid7():
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(76)
    return UUID(int=(number & ~(0xF << 76) & ~(0x3 << 62)) | (0x7 << 76) | (0x2 << 62))


def placed(user, new, id):
    now = datetime.now(UTC)
    lines = [Line(position=position, **line.model_dump()) for position, line in enumerate(new.lines)]
    total = sum(line.quantity * line.unit_price_cents for line in new.lines)
    return Order(
        id=id, user_id=user, status="placed", total_cents=total, created_at=now, updated_at=now, version=1, lines=lines
    )


@asynccontextmanager
async def lifespan(_):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    with open(os.environ["BENCH_NEW_ORDER"], encoding="utf-8") as file:
        new = NewOrder.model_validate_json(file.read())
    user = uuid7()
    async with Sessions() as session:
        session.add(User(id=user, email="ada@example.org", name="Ada"))
        await session.flush()
        expires_at = datetime.now(UTC) + timedelta(days=30)
        token_hash = sha256(os.environ["BENCH_TOKEN"].encode())
        session.add(Session(token_hash=token_hash, user_id=user, expires_at=expires_at))
        for n in range(int(os.environ["BENCH_ORDERS"])):
            session.add(placed(user, new, UUID(os.environ["BENCH_ORDER"]) if n == 0 else uuid7()))
        await session.commit()
    yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(HttpProblem)
async def problem_response(_, problem):
    body = {**problem.body, "request_id": str(uuid7())}
    return JSONResponse(body, problem.body["status"], media_type="application/problem+json")


async def database():
    async with Sessions() as session:
        yield session


Database = Annotated[AsyncSession, Depends(database)]


async def caller(session: Database, authorization: Annotated[str, Header()] = ""):
    token_hash = sha256(authorization.removeprefix("Bearer ").encode())
    is_valid = (Session.token_hash == token_hash) & (Session.expires_at > datetime.now(UTC))
    user = await session.scalar(select(User.id).join(Session, Session.user_id == User.id).where(is_valid))
    if user is None:
        raise HttpProblem(401, "Unauthorized", "invalid or expired token")
    return user


Caller = Annotated[UUID, Depends(caller)]


@app.get("/orders/{id}", response_model=OrderBody)
async def read(id: UUID, user: Caller, session: Database):
    order = await session.scalar(select(Order).where(Order.id == id, Order.user_id == user))
    if order is None:
        raise HttpProblem(404, "Not Found", "order not found")
    return order


@app.get("/orders", response_model=Page)
async def list_orders(
    user: Caller, session: Database, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: UUID = UUID(int=0)
):
    orders = select(Order).where(Order.user_id == user, Order.id > after).order_by(Order.id).limit(limit + 1)
    found = (await session.scalars(orders)).all()
    return {"items": found[:limit], "next": found[limit - 1].id if len(found) > limit else None}


@app.post("/orders", response_model=OrderBody, status_code=201)
async def place(
    new: NewOrder,
    user: Caller,
    session: Database,
    request: Request,
    response: Response,
    idempotency_key: Annotated[str | None, Header()] = None,
):
    order = placed(user, new, uuid7())
    location = f"/orders/{order.id}"
    if idempotency_key is None:
        session.add(order)
        await session.commit()
        response.headers["location"] = location
        return order
    key = {"caller": user, "key_hash": sha256(idempotency_key.encode())}
    body_hash, now = sha256(await request.body()), datetime.now(UTC)
    await session.execute(delete(Key).where(Key.expires_at <= now))
    claim = {"path": request.url.path, "body_hash": body_hash, "answer": "", "expires_at": now + timedelta(hours=24)}
    claimed = await session.execute(insert(Key).values(**key, **claim).on_conflict_do_nothing())
    if claimed.rowcount == 0:
        before = await session.get_one(Key, key)
        if (before.path, before.body_hash) != (request.url.path, body_hash):
            detail = "this idempotency-key was used with another request"
            raise HttpProblem(422, "Unprocessable Entity", detail)
        return Response(before.answer, 201, media_type="application/json")
    session.add(order)
    answer = OrderBody.model_validate(order).model_dump_json()
    await session.execute(update(Key).where(Key.caller == user, Key.key_hash == key["key_hash"]).values(answer=answer))
    await session.commit()
    return Response(answer, 201, {"location": location}, media_type="application/json")
