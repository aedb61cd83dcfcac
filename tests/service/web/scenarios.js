// What a test has a client do. Each returns plain data for the test to look at.

const HELLO = { character: "mira", playerId: "p1" };
const PATIENCE_MS = 300;

/** All words of one reply. */
async function talk(client) {
  return all(client.say(await begun(client)));
}

/** How an unknown character and an unknown session are refused. */
async function refuse(client) {
  const unary = client.start({ character: "nobody", playerId: "p1" });
  const stream = all(client.say({ sessionId: "nope", text: "Hello." }));
  return [await refusal(unary), await refusal(stream)];
}

/** Leaves after the first word; the session. */
async function leave(client) {
  const line = await begun(client);
  const leaving = new AbortController();
  for await (const _ of client.say(line, undefined, leaving.signal)) break;
  leaving.abort();
  return line.sessionId;
}

/** Waits for a reply no longer than `PATIENCE_MS`. */
async function hurry(client) {
  return refusal(all(client.say(await begun(client), PATIENCE_MS)));
}

async function begun(client) {
  const { sessionId } = await client.start(HELLO);
  return { sessionId, text: "Hello." };
}

async function all(words) {
  const heard = [];
  for await (const word of words) heard.push(word);
  return heard;
}

async function refusal(call) {
  try {
    await call;
  } catch (error) {
    return [error.code, error.rawMessage ?? error.message];
  }
  return [0, "not refused"];
}

export const scenarios = { talk, refuse, leave, hurry };
