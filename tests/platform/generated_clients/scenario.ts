// A scenario with a user and orders, with openapi-fetch and the types that openapi-typescript generates. Argument: the
// service's URL.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Order = components["schemas"]["Order"];

const baseUrl = process.argv[2];
assert(baseUrl);
const [email, password] = ["typescript@example.org", "correct horse battery staple"];
const api = createClient<paths>({ baseUrl });

async function logIn(): Promise<void> {
  const { data: session } = await api.POST("/users/login", { body: { email, password } });
  assert(session);
  api.use({
    onRequest({ request }) {
      request.headers.set("authorization", `Bearer ${session.token}`);
    },
  });
}

async function place(quantity: number, key?: string): Promise<Order> {
  const lines = [{ sku: "A-1", quantity, unit_price_cents: 1250 }];
  const header = key === undefined ? {} : { "idempotency-key": key };
  const { data: order } = await api.POST("/orders", { params: { header }, body: { lines } });
  assert(order);
  return order;
}

const registered = await api.POST("/users", { body: { email, password, name: "Ada Lovelace" } });
const user = registered.data;
assert(user);
assert.equal(registered.response.headers.get("location"), `/users/${user.id}`);
const again = await api.POST("/users", { body: { email, password, name: "Ada" } });
assert.equal(again.error?.status, 409);
assert(again.error.request_id);
const invalid = await api.POST("/users", { body: { email: "nobody", password, name: "" } });
assert.deepEqual(invalid.error?.errors?.map((error) => error.field).sort(), ["email", "name"]);
assert.equal((await api.GET("/users/me")).error?.status, 401);

await logIn();
const me = await api.GET("/users/me");
assert.equal(me.data?.email, email);
const userTag = me.response.headers.get("etag");
assert(userTag);
const known = await api.GET("/users/me", { params: { header: { "if-none-match": userTag } } });
assert.equal(known.response.status, 304);

const order = await place(2, "typescript-1");
assert.deepEqual([order.status, order.total_cents], ["placed", 2500]);
assert.equal((await place(2, "typescript-1")).id, order.id);
const second = await place(1);
const listedIds: string[] = [];
for (let after: string | null | undefined; after !== null; ) {
  const query = after === undefined ? { limit: 1 } : { limit: 1, after };
  const { data: page, response } = await api.GET("/orders", { params: { query } });
  assert(page);
  assert(response.headers.get("link")?.includes('rel="first"'));
  listedIds.push(...page.items.map((item: Order) => item.id));
  after = page.next;
}
assert.deepEqual(listedIds.sort(), [order.id, second.id].sort());

const path = { id: order.id };
const read = await api.GET("/orders/{id}", { params: { path } });
assert.deepEqual(read.data, order);
const orderTag = read.response.headers.get("etag");
assert(orderTag);
const header = { "if-none-match": orderTag };
assert.equal((await api.GET("/orders/{id}", { params: { path, header } })).response.status, 304);
assert.equal((await api.POST("/orders/{id}/pay", { params: { path } })).data?.status, "paid");
assert.equal((await api.GET("/orders/{id}", { params: { path, header } })).data?.status, "paid");
const secondPath = { id: second.id };
assert.equal((await api.POST("/orders/{id}/cancel", { params: { path: secondPath } })).data?.status, "cancelled");
const late = await api.POST("/orders/{id}/pay", { params: { path: secondPath } });
assert.equal(late.error?.status, 409);
const paid = await api.GET("/orders", { params: { query: { status: "paid" } } });
assert.deepEqual([paid.data?.items.map((item) => item.id), paid.data?.next], [[order.id], null]);

const own = { path: { id: user.id }, header: { "if-match": userTag } };
const changed = await api.PATCH("/users/{id}", { params: own, body: { name: "Ada King" } });
assert.equal(changed.data?.name, "Ada King");
const stale = await api.PATCH("/users/{id}", { params: own, body: { name: "Ada" } });
assert.equal(stale.error?.status, 412);
const current = await api.GET("/users/{id}", { params: { path: own.path } });
assert.deepEqual(current.data, changed.data);

assert.equal((await api.POST("/users/logout")).response.status, 204);
assert.equal((await api.GET("/users/me")).error?.status, 401);
await logIn();
assert.equal((await api.DELETE("/users/{id}", { params: { path: own.path } })).response.status, 204);
assert.equal((await api.GET("/users/me")).error?.status, 401);
