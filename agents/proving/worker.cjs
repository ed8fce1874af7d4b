// A resident snarkjs: one JSON request a line on stdin, one answer a line on stdout. Ends at once when stdin does, so it never
// outlives the agent that started it, nor keeps the cores from whoever has the machine's prover lock next.
'use strict';
const readline = require('readline');
const [snarkjsPath] = process.argv.slice(2);
const snarkjs = require(snarkjsPath);

const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
// snarkjs' witness generator logs the circuit's complaints; stdout is ours.
console.log = (...words) => process.stderr.write(`${words.join(' ')}\n`);

async function serve(request) {
  const { id, input, wasm, zkey, witness } = request;
  if (witness) {
    await snarkjs.wtns.calculate(input, wasm, witness);
    return { id };
  }
  const { proof, publicSignals } = await snarkjs.groth16.fullProve(input, wasm, zkey);
  return { id, proof, publics: publicSignals };
}

const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
let queue = Promise.resolve();
lines.on('line', (line) => {
  const request = JSON.parse(line);
  queue = queue.then(() => serve(request)).then(answer, (error) => answer({ id: request.id, error: String(error && error.message || error) }));
});
lines.on('close', () => process.exit(0));
answer({ ready: true });
