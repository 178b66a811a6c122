import { absent, type DocumentRule, exactlyOne } from './rule-kit.ts'

export const schedule: DocumentRule = (spec) => [
  ...exactlyOne(spec, ['cron', 'every'], '/spec'),
  ...exactlyOne(spec, ['emit', 'run'], '/spec'),
  ...(spec.cron === undefined ? absent(spec, 'timeZone', '/spec', 'is read together with `cron` only') : []),
]
