// Reads messages with two parsers of mail. Standard input: a JSON list of messages in base64; standard output: what each parser found.
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const named = (headers, name) => headers.filter((header) => header.key === name).map((header) => header.value ?? header.line);

async function read(message) {
  const octets = Buffer.from(message, "base64");
  const first = await simpleParser(octets);
  const second = await PostalMime.parse(octets);
  return {
    mailparser: {
      subject: first.subject,
      text: first.text,
      html: first.html || "",
      unsubscribe: first.headers.get("list")?.unsubscribe?.url ?? null,
      post: first.headers.get("list")?.["unsubscribe-post"]?.name ?? null,
      to: first.to?.value.map((one) => one.address) ?? [],
      replyTo: first.replyTo?.value.map((one) => one.address) ?? [],
    },
    postalMime: {
      subject: second.subject,
      text: second.text,
      html: second.html || "",
      unsubscribe: named(second.headers, "list-unsubscribe"),
      post: named(second.headers, "list-unsubscribe-post"),
      to: second.to?.map((one) => one.address) ?? [],
      replyTo: second.replyTo?.map((one) => one.address) ?? [],
    },
  };
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
console.log(JSON.stringify(await Promise.all(JSON.parse(Buffer.concat(chunks)).map(read))));
