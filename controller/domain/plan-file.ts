import { type KeyObject, sign, verify } from 'node:crypto'
import { canonicalBytes } from './canonical-json.ts'
import { digestBytes, digestJson } from './digest.ts'
import { FibricError } from './errors.ts'
import type { Digest } from './ids.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'
import { isOwnEngine, type Plan, planId } from './plan.ts'
import type { ResourceContent } from './resource.ts'

/** A plan and everything that applying it needs: it reads no directory. */
export interface SavedPlan {
  readonly plan: Plan
  /** Digest → the document to store, for every change that has one. */
  readonly documents: { readonly [digest: string]: ResourceContent }
  /** Digest → base64 of a referenced file's bytes. */
  readonly files: { readonly [digest: string]: string }
}

export interface PlanSigner {
  readonly keyId: string
  readonly privateKey: KeyObject
}

const format = 'fibric.plan/v1'

/** The bytes of a plan file: one line of canonical JSON, signed (Ed25519) over everything but the signature's value. */
export function encodePlanFile(saved: SavedPlan, signer: PlanSigner): Buffer {
  const body = { format, ...(saved as unknown as JsonObject) }
  const signed = canonicalBytes({ ...body, signature: { key: signer.keyId } })
  const value = sign(null, signed, signer.privateKey).toString('base64')
  return Buffer.concat([canonicalBytes({ ...body, signature: { key: signer.keyId, value } }), Buffer.of(0x0a)])
}

/**
 * The plan in a file, after every check that needs no database: canonical to the byte, signed by this deployment,
 * unexpired at `nowMs`, made by this engine, its id and every digest recomputed. Throws a FibricError otherwise.
 */
export function decodePlanFile(
  bytes: Buffer,
  name: string,
  publicKey: KeyObject,
  deployment: string,
  nowMs: number,
): SavedPlan {
  const { format: found, signature, ...body } = parse(bytes, name)
  if (found !== format) throw altered(name, `its format is \`${String(found)}\`, not \`${format}\``, 'PLAN_UNREADABLE')
  if (!isJsonObject(signature)) throw altered(name, 'it carries no signature')
  const { value, ...unvalued } = signature
  if (typeof value !== 'string') throw altered(name, 'it carries no signature')
  const saved = body as unknown as SavedPlan
  if (saved.plan?.deployment !== deployment) {
    throw new FibricError('PLAN_OTHER_DEPLOYMENT', `plan file \`${name}\` was made for another deployment`, {
      hint: 'plan again against this database: fibric plan --out FILE',
    })
  }
  const signed = canonicalBytes({ format, ...body, signature: unvalued })
  const proof = Buffer.from(value, 'base64')
  // Base64 spells the same bytes in more ways than one; only ours is the file that was written.
  if (proof.toString('base64') !== value || !verify(null, signed, publicKey, proof)) {
    throw altered(name, 'its signature does not fit its content')
  }
  requireConsistent(saved, name)
  requireCurrent(saved.plan, name, nowMs)
  return saved
}

function parse(bytes: Buffer, name: string): JsonObject {
  let value: Json
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw new FibricError('PLAN_UNREADABLE', `\`${name}\` is not a plan file`, {
      hint: 'make one with: fibric plan --out FILE',
      cause,
    })
  }
  if (!isJsonObject(value)) throw altered(name, 'it does not hold an object', 'PLAN_UNREADABLE')
  // Whatever a reader would skip (white space, a repeated key, another spelling of a number) shows up here.
  const canonical = canonicalOrEmpty(value)
  if (!canonical.equals(bytes)) {
    const at = canonical.findIndex((byte, index) => byte !== bytes[index])
    throw altered(name, `byte ${at === -1 ? canonical.length : at} differs from the canonical form`)
  }
  return value
}

/** A lone surrogate has no canonical form; no bytes equal nothing, so such a file is refused as altered. */
function canonicalOrEmpty(value: JsonObject): Buffer {
  try {
    return Buffer.concat([canonicalBytes(value), Buffer.of(0x0a)])
  } catch (error) {
    if (error instanceof TypeError) return Buffer.alloc(0)
    throw error
  }
}

function requireConsistent(saved: SavedPlan, name: string): void {
  if (planId(saved.plan) !== saved.plan.id) throw altered(name, 'its id does not fit its changes')
  for (const [digest, document] of Object.entries(saved.documents)) {
    if (digestJson(document as unknown as Json) !== digest)
      throw altered(name, `a document does not hash to \`${digest}\``)
  }
  for (const [digest, content] of Object.entries(saved.files)) {
    if (digestBytes(Buffer.from(content, 'base64')) !== (digest as Digest)) {
      throw altered(name, `a file does not hash to \`${digest}\``)
    }
  }
}

function requireCurrent(plan: Plan, name: string, nowMs: number): void {
  if (!isOwnEngine(plan)) {
    throw new FibricError('PLAN_OTHER_ENGINE', `plan file \`${name}\` was made by \`${plan.engine}\``, {
      hint: 'plan again with this version: fibric plan --out FILE',
    })
  }
  if (Date.parse(plan.expiresAt) <= nowMs) {
    throw new FibricError('PLAN_EXPIRED', `plan file \`${name}\` expired at ${plan.expiresAt}`, {
      hint: 'plan again: fibric plan --out FILE',
    })
  }
}

function altered(name: string, why: string, code: 'PLAN_ALTERED' | 'PLAN_UNREADABLE' = 'PLAN_ALTERED'): FibricError {
  return new FibricError(code, `plan file \`${name}\` is refused: ${why}`, {
    hint: 'plan again: fibric plan --out FILE',
  })
}
