// One browser, two users: what does a page at the service's origin get for `GET /users/me` after another user has logged in?
// Arguments: the browser, the service's URL, a directory for the browser's profile. Prints a JSON array of what was seen.

import puppeteer from "puppeteer-core";

const [browserPath, url, profile] = process.argv.slice(2);

const browser = await puppeteer.launch({
  executablePath: browserPath,
  userDataDir: profile,
  // Chromium's own sandbox refuses to run as root; the pages are the service's.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});
try {
  const page = await browser.newPage();
  await page.goto(`${url}/docs`, { waitUntil: "domcontentloaded" });
  // In the page, with the browser's own cache.
  const seen = await page.evaluate(async () => {
    const call = async (method, path, { token, body } = {}) => {
      const headers = { "content-type": "application/json" };
      if (token) headers.authorization = `Bearer ${token}`;
      const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return { json: text && JSON.parse(text), tag: response.headers.get("etag") };
    };
    const password = "correct horse battery staple";
    const seen = [];
    for (const name of ["ada", "bob"]) {
      const email = `${name}@example.org`;
      await call("POST", "/users", { body: { email, password, name } });
      const { json: session } = await call("POST", "/users/login", { body: { email, password } });
      // Twice: the second time from the browser's cache, as far as the service lets it.
      for (let time = 0; time < 2; time++) {
        const { json: me, tag } = await call("GET", "/users/me", { token: session.token });
        seen.push({ email: me.email, tag });
      }
      await call("POST", "/users/logout", { token: session.token });
    }
    return seen;
  });
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
