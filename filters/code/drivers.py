"""Scripts that run in the sandbox and ask one tool about many files: a start of the sandbox, or of node, costs more than a file.

Each is called with a mark that no file can know and with names of files, and prints for each file a line ``MARK NAME CODE`` and then what
was said of it: code 0 where there is no error.
"""

from __future__ import annotations

EACH = """\
mark=$1; count=$2; shift 2
files=
while [ "$count" -gt 0 ]; do files="$files $1"; shift; count=$((count - 1)); done
for file in $files; do
  "$@" "$file" < /dev/null > tmp/said 2>&1; code=$?
  printf '\\n%s %s %s\\n' "$mark" "$file" "$code"
  head -c 3000 tmp/said
done
"""
"""For sh: a tool that takes one file at a time. MARK COUNT FILE... COMMAND..."""

NODE = """\
const vm = require('vm'), fs = require('fs'), [mark, ...files] = process.argv.slice(2)
for (const file of files) {
  const text = fs.readFileSync(file, 'utf8')
  let failed = null
  for (const make of [() => new vm.SourceTextModule(text), () => new vm.Script(text)]) {
    try { make(); failed = null; break } catch (error) { failed = failed || error }
  }
  const said = failed && `${file}:${(/:(\\d+)/.exec(failed.stack.split('\\n')[0]) || [0, 1])[1]}: ${failed.message}`
  process.stdout.write(`\\n${mark} ${file} ${failed ? 1 : 0}\\n${(said || '').slice(0, 3000)}`)
}
"""
"""Compiled as a module or as a script, and never run."""

TSC = """\
const [library, mark, ...files] = process.argv.slice(2), ts = require(library), fs = require('fs')
for (const file of files) {
  const text = fs.readFileSync(file, 'utf8')
  const trees = [ts.ScriptKind.TS, ts.ScriptKind.TSX].map(kind => ts.createSourceFile(file, text, 99, false, kind))
  const tree = trees.find(one => !one.parseDiagnostics.length) || trees[0], [first] = tree.parseDiagnostics
  const line = first && tree.getLineAndCharacterOfPosition(first.start).line + 1
  const said = first ? `${file}:${line}: ${ts.flattenDiagnosticMessageText(first.messageText, ' ')}` : ''
  process.stdout.write(`\\n${mark} ${file} ${first ? 1 : 0}\\n${said.slice(0, 3000)}`)
}
"""
"""With and without JSX: each refuses what the other takes."""

PHP = """\
<?php
foreach (array_slice($argv, 2) as $file) {
  $said = '';
  try { token_get_all(file_get_contents($file), TOKEN_PARSE); }
  catch (ParseError $error) { $said = $file . ':' . $error->getLine() . ': ' . substr($error->getMessage(), 0, 3000); }
  echo "\\n", $argv[1], ' ', $file, ' ', $said === '' ? 0 : 1, "\\n", $said;
}
"""

RUBY = """\
mark, *files = ARGV
files.each do |file|
  begin
    RubyVM::AbstractSyntaxTree.parse(File.binread(file).force_encoding('UTF-8'))
    said = ''
  rescue SyntaxError, ArgumentError, EncodingError => error
    said = "#{file}:#{error.message[/:(\\d+)/, 1] || 1}: #{error.message.sub(/\\A[^:]*:\\d+: /, '')[0, 3000]}"
  end
  print "\\n#{mark} #{file} #{said.empty? ? 0 : 1}\\n#{said}"
end
"""
