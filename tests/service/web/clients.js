// The official web clients behind one face: `start` begins a session, `say` yields words.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import grpcWeb from "grpc-web";
import * as npc from "./npc/v1/dialogue_pb.js";

const { MethodDescriptor, MethodType } = grpcWeb;

export const clients = {
  connect: (baseUrl) => ofConnect(createConnectTransport({ baseUrl, useBinaryFormat: true })),
  "connect-json": (baseUrl) => ofConnect(createConnectTransport({ baseUrl })),
  "connect-grpc-web": (baseUrl) => ofConnect(createGrpcWebTransport({ baseUrl })),
  "grpc-web-text": (baseUrl) => ofGrpcWeb(baseUrl, "text"),
  "grpc-web-binary": (baseUrl) => ofGrpcWeb(baseUrl, "binary"),
};

function ofConnect(transport) {
  const dialogue = createClient(npc.Dialogue, transport);
  async function* say(request, timeoutMs, signal) {
    for await (const { event } of dialogue.say(request, { timeoutMs, signal }))
      if (event.case === "delta") yield event.value.text;
  }
  return { start: (request) => dialogue.startSession(request), say };
}

function ofGrpcWeb(baseUrl, format) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const path = (name) => `${baseUrl}/npc.v1.Dialogue/${name}`;
  const start = described("StartSession", MethodType.UNARY, npc.StartSessionRequestSchema, npc.StartSessionResponseSchema);
  const say = described("Say", MethodType.SERVER_STREAMING, npc.SayRequestSchema, npc.ReplyEventSchema);
  return {
    start: (request) =>
      client.unaryCall(path("StartSession"), create(npc.StartSessionRequestSchema, request), {}, start),
    say: (request, timeoutMs) => {
      const metadata = timeoutMs ? { deadline: String(Date.now() + timeoutMs) } : {};
      return wordsOf(client.serverStreaming(path("Say"), create(npc.SayRequestSchema, request), metadata, say));
    },
  };
}

function described(name, type, asked, told) {
  const write = (message) => toBinary(asked, message);
  const read = (bytes) => fromBinary(told, new Uint8Array(bytes));
  return new MethodDescriptor(`/npc.v1.Dialogue/${name}`, type, Object, Object, write, read);
}

/** The events of a stream, one after another; leaving the loop cancels the call. */
async function* wordsOf(stream) {
  const waiting = [];
  let wake = () => {};
  const tell = (item) => (waiting.push(item), wake());
  stream.on("data", ({ event }) => event.case === "delta" && tell({ word: event.value.text }));
  stream.on("error", (error) => tell({ error }));
  stream.on("end", () => tell({ ended: true }));
  try {
    for (;;) {
      while (!waiting.length) await new Promise((resolve) => (wake = resolve));
      const { word, error, ended } = waiting.shift();
      if (error) throw error;
      if (ended) return;
      yield word;
    }
  } finally {
    stream.cancel();
  }
}
