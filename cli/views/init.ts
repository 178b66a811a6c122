import { relative } from 'node:path'
import type { Scaffold } from '../init/scaffold.ts'
import type { Paint } from './paint.ts'

export function renderScaffold({ directory, written, kept }: Scaffold, from: string, color: Paint): string {
  const below = relative(from, directory)
  const next = [
    ...(below === '' ? [] : [`cd ${/^[\w./-]+$/.test(below) ? below : `'${below.replaceAll("'", "'\\''")}'`}`]),
    'git init && git add . && git commit -m "configuration"',
    'fibric validate',
    'fibric plan',
    'fibric apply',
  ]
  return [
    ...written.map((path) => `${color.green('+')} ${path}`),
    ...kept.map((path) => `${color.dim('=')} ${path} ${color.dim('(kept as it was)')}`),
    '',
    color.bold('next'),
    ...next.map((command) => `  ${command}`),
  ].join('\n')
}

export function scaffoldJson({ directory, written, kept }: Scaffold) {
  return { object: 'repository', directory, written, kept }
}
