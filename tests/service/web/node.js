// node node.js URL CLIENT SCENARIO: prints what the scenario returns.

import XMLHttpRequest from "xhr2";
import { clients } from "./clients.js";
import { scenarios } from "./scenarios.js";

globalThis.XMLHttpRequest = XMLHttpRequest; // which grpc-web takes for granted
const [url, client, scenario] = process.argv.slice(2);
console.log(JSON.stringify(await scenarios[scenario](clients[client](url))));
process.exit(0);
