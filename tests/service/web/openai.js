// node openai.js URL SCENARIO: what OpenAI's own client does; prints what the scenario returns.

import OpenAI from "openai";

const [url, scenario] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const asked = { model: "mira", user: "p1", messages: [{ role: "user", content: "Hello." }] };

/** All words of one reply, and what it cost. */
async function talk() {
  const wanted = { ...asked, stream: true, stream_options: { include_usage: true } };
  const chunks = [];
  for await (const chunk of await client.chat.completions.create(wanted)) chunks.push(chunk);
  const words = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean);
  return [words, chunks.at(-1).usage.completion_tokens > 0];
}

/** Leaves after the first word; the completion. */
async function leave() {
  const stream = await client.chat.completions.create({ ...asked, stream: true });
  for await (const chunk of stream) return chunk.id; // which aborts the stream
}

/** How an unknown model is refused. */
async function refuse() {
  try {
    await client.chat.completions.create({ ...asked, model: "nobody" });
  } catch (error) {
    return [error.status, error.code, error.message];
  }
}

console.log(JSON.stringify(await { talk, leave, refuse }[scenario]()));
process.exit(0);
