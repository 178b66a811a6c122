export { withDefaults } from './defaults.ts'
export type { Diagnostic, RelatedPlace } from './diagnostic.ts'
export {
  checkUserSchema,
  compileUserSchema,
  type DialectProblem,
  type UserSchema,
  type UserSchemaProblem,
} from './dialect.ts'
export { type Explanation, explain, type FieldSummary, isExplanation, type NotExplained } from './explain.ts'
export { documentSchema, type ExportedSchema, exportSchemas } from './export.ts'
export {
  type Authority,
  type ExpressionScope,
  expressionScopes,
  type FieldExpression,
  type FieldReference,
  type FieldSchema,
  type KindSchema,
  type KindScope,
} from './field-schema.ts'
export { durationMs, ratePerSecond, sizeBytes } from './formats.ts'
export type * from './generated/types.ts'
export { dotted, type ProblemCode, problemCodes, type SchemaProblem } from './problem.ts'
export { apiVersion, findKind, isKind, type KindInfo, kindInfo, kinds } from './registry.ts'
export { type CheckRequest, compileRequestSchema, type RequestProblem } from './request.ts'
export { riskTiers, skillTierFloor, type TierFloor } from './rules/tier-floor.ts'
export { closest } from './suggest.ts'
export { checkDocument, validateDocument } from './validate.ts'
export { type FieldVisitor, walkFields } from './walk.ts'
