/**
 * Reads a git configuration file for the built-in client: `section.sub.name` to value, later lines win.
 * Includes are not followed; what git itself would refuse is passed over. Source: git-config(1), "Syntax".
 */
export function parseGitConfig(text: string): Map<string, string> {
  const settings = new Map<string, string>()
  let section = ''
  for (const line of text.replace(/\\\r?\n/g, '').split(/\r?\n/)) {
    const header = /^\s*\[([A-Za-z0-9.-]+)(?:\s+"((?:\\.|[^"\\])*)")?\s*\](.*)$/.exec(line)
    if (header !== null) {
      const sub = header[2] === undefined ? '' : `.${header[2].replace(/\\(.)/g, '$1')}`
      section = header[1]!.toLowerCase() + sub
    }
    const entry = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=(.*))?$/s.exec(header === null ? line : header[3]!)
    if (entry === null || section === '') continue
    settings.set(`${section}.${entry[1]!.toLowerCase()}`, entry[2] === undefined ? 'true' : unquoted(entry[2]))
  }
  return settings
}

/** Comments end a value and blanks around it fall away, except in quotes. */
function unquoted(raw: string): string {
  let value = ''
  let pendingBlanks = ''
  let quoted = false
  for (let at = 0; at < raw.length; at++) {
    const char = raw[at]!
    if (!quoted && (char === '#' || char === ';')) break
    if (!quoted && /\s/.test(char)) {
      pendingBlanks += value === '' ? '' : char
      continue
    }
    if (char === '"') {
      quoted = !quoted
      continue
    }
    value += pendingBlanks
    pendingBlanks = ''
    value += char === '\\' ? (escapes[raw[++at] ?? ''] ?? raw[at] ?? '') : char
  }
  return value
}

const escapes: { readonly [letter: string]: string } = { n: '\n', t: '\t', b: '\b' }
