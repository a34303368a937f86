// One browser, two users: the responses to `GET /users/me` on a page at the service's origin after another user logs in.
// Arguments: the browser, the service's URL, a directory for the browser's profile. Prints a JSON array of the responses.

import puppeteer from "puppeteer-core";

const [browserPath, url, profile] = process.argv.slice(2);

const browser = await puppeteer.launch({
  executablePath: browserPath,
  userDataDir: profile,
  // Chromium's sandbox does not run as root; the pages are trusted.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});
try {
  const page = await browser.newPage();
  await page.goto(`${url}/docs`, { waitUntil: "domcontentloaded" });
  // Runs in the page, with the browser's cache.
  const responses = await page.evaluate(async () => {
    const call = async (method, path, { token, body } = {}) => {
      const headers = { "content-type": "application/json" };
      if (token) headers.authorization = `Bearer ${token}`;
      const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return { json: text && JSON.parse(text), tag: response.headers.get("etag") };
    };
    const password = "correct horse battery staple";
    const responses = [];
    for (const name of ["ada", "bob"]) {
      const email = `${name}@example.org`;
      await call("POST", "/users", { body: { email, password, name } });
      const { json: session } = await call("POST", "/users/login", { body: { email, password } });
      // Twice: the second time from the browser's cache, if the service allows it.
      for (let time = 0; time < 2; time++) {
        const { json: me, tag } = await call("GET", "/users/me", { token: session.token });
        responses.push({ email: me.email, tag });
      }
      await call("POST", "/users/logout", { token: session.token });
    }
    return responses;
  });
  console.log(JSON.stringify(responses));
} finally {
  await browser.close();
}
