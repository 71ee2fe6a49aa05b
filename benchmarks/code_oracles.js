// node code_oracles.js typescript|css: paths as JSON on standard input, the number of syntax errors of each on standard output.
const fs = require("fs");
const texts = JSON.parse(fs.readFileSync(0)).map((p) => [p, fs.readFileSync(p, "utf8")]);
const count = {
  typescript: () => {
    const ts = require("typescript");
    return ([p, text]) => ts.createSourceFile(p, text, 99).parseDiagnostics.length;
  },
  css: () => {
    const css = require("css-tree");
    return ([, text]) => {
      let errors = 0;
      css.parse(text, { onParseError: () => errors++ });
      return errors;
    };
  },
}[process.argv[2]]();
for (const text of texts) console.log(count(text));
