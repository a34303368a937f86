// Spotlight without its command line, which reports usage. Prints each envelope that it shows, one a line.
import { setupSpotlight } from "@spotlightjs/spotlight";

const port = Number(process.argv[2]);
await setupSpotlight({ port, isStandalone: true });
const shown = await fetch(`http://127.0.0.1:${port}/stream`);
console.log('"ready"');
let rest = "";
for await (const text of shown.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  lines.filter((line) => line.startsWith("data:")).forEach((line) => console.log(line.slice(5).trim()));
}
