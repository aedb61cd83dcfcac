// The page: runs `#URL,CLIENT,SCENARIO` and sends what it returns to the server of the page.

import { clients } from "./clients.js";
import { scenarios } from "./scenarios.js";

const [url, client, scenario] = location.hash.slice(1).split(",");
let told;
try {
  told = await scenarios[scenario](clients[client](url));
} catch (error) {
  told = `failed: ${error}`;
}
await fetch("/told", { method: "POST", body: JSON.stringify(told) });
