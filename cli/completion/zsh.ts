import type { CompletedFlag, Completion } from './completions.ts'

export function zshScript(completions: readonly Completion[]): string {
  return `#compdef fibric
# zsh completion of fibric
${completions.map(pathFunction).join('\n')}
(( $+functions[compdef] )) && compdef ${functionName('')} fibric
`
}

/** One function a place in the tree of commands; it hands on to the next when a further word names one. */
function pathFunction({ path, words, flags, values, files }: Completion): string {
  const args = [
    "'(-h --help)'{-h,--help}'[show help]'",
    ...(path === '' ? ["'--version[print the version]'"] : []),
    ...flags.map(flagSpec),
  ]
  const body: string[] = []
  if (words.length > 0) {
    const described = words.map(({ word, summary }) => `'${word}:${summary}'`).join(' ')
    const cases = words.map(({ word }) => `      ${word}) ${functionName(path === '' ? word : `${path} ${word}`)} ;;`)
    body.push(
      `  local -a commands; commands=(${described})`,
      '  local context state line',
      `  _arguments -C ${args.join(' ')} '1: :->word' '*:: :->rest'`,
      '  case $state in',
      "    word) _describe 'command' commands ;;",
      '    rest) case $words[1] in',
      ...cases,
      '    esac ;;',
      '  esac',
    )
  } else {
    const rest = values.length > 0 ? `'1: :(${values.join(' ')})'` : files ? "'*: :_files'" : "'*: :'"
    body.push(`  _arguments ${[...args, rest].join(' ')}`)
  }
  return `${functionName(path)}() {\n${body.join('\n')}\n}`
}

function flagSpec({ name, char, summary, takesValue, values }: CompletedFlag): string {
  const value = takesValue ? (values.length > 0 ? `:value:(${values.join(' ')})` : ':value:_files') : ''
  const text = `[${summary}]${value}`
  return char === null ? `'--${name}${takesValue ? '=' : ''}${text}'` : `{-${char},--${name}}'${text}'`
}

function functionName(path: string): string {
  return `_fibric${path === '' ? '' : `_${path.replaceAll(/[ -]/g, '_')}`}`
}
