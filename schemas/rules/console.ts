import { type DocumentRule, exactlyOne, isPlatform, objectOf, platformOnly, problem } from './rule-kit.ts'

export const menu: DocumentRule = (spec) => exactlyOne(spec, ['page', 'url', 'iframe'], '/spec')

export const announcement: DocumentRule = (spec, context) => {
  const problems = isPlatform(context) ? [] : platformOnly(objectOf(spec.audience), 'tenants', '/spec/audience')
  const { from, until } = spec
  if (typeof from === 'string' && typeof until === 'string' && Date.parse(until) <= Date.parse(from)) {
    problems.push(problem('OUT_OF_RANGE', '/spec/until', `\`spec.until\` is not after \`spec.from\``))
  }
  return problems
}
