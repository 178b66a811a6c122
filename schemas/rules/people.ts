import { type DocumentRule, exactlyOne, isPlatform, listOf, platformOnly } from './rule-kit.ts'

export const user: DocumentRule = (spec, context) => {
  if (isPlatform(context)) return []
  // Present with their defaults they say nothing, and that is how `import` writes them.
  return [
    ...(spec.superAdmin === true ? platformOnly(spec, 'superAdmin', '/spec') : []),
    ...(listOf(spec.crossTenant).length > 0 ? platformOnly(spec, 'crossTenant', '/spec') : []),
  ]
}

export const apiKey: DocumentRule = (spec) => [
  ...exactlyOne(spec, ['user', 'service'], '/spec'),
  ...exactlyOne(spec, ['role', 'scopes'], '/spec'),
]
