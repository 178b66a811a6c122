import type { TenantId } from '../domain/ids.ts'
import type { Json } from '../domain/json.ts'
import type {
  AttemptOptions,
  AttemptResult,
  Binding,
  Bound,
  EffectConnector,
  Pinned,
  PlannedEffect,
  ReadResult,
  Rehearsal,
} from '../executor/effects/connector.ts'
import type { Database } from '../store/connect.ts'
import type { RootKey } from '../tenancy/root-key.ts'
import { makeAttempt } from './attempt.ts'
import { type AwsIdentity, AwsRoles } from './auth/aws-role.ts'
import { CredentialSource } from './auth/credentials.ts'
import { bind, footingOf } from './binding.ts'
import type { Carrier } from './carrier.ts'
import { ConnectorCatalog } from './catalog.ts'
import { noteListed } from './drift.ts'
import { EgressBroker } from './egress/broker.ts'
import { type Resolver, systemResolver } from './egress/destination.ts'
import { McpCaller, type McpParts } from './mcp/caller.ts'
import { planEffect } from './planning.ts'
import { makeRead } from './read.ts'
import { rehearseEffect } from './rehearse.ts'
import { RenderError } from './request.ts'

export interface ConnectorSettings {
  readonly database: Database<RootKey>
  readonly clock: () => Date
  readonly aws: AwsIdentity | null
  /** Tests bring their own. */
  readonly resolver?: Resolver
  readonly mcp?: Pick<McpParts, 'sandbox' | 'pool'>
}

/** Carries tools out over HTTP and MCP: finds the binding, renders the request, injects the credential, judges the answer. */
export class ConnectorRuntime implements EffectConnector, Carrier {
  readonly catalog: ConnectorCatalog
  readonly broker: EgressBroker
  readonly credentials: CredentialSource
  readonly mcp: McpCaller

  constructor({ database, clock, aws, resolver = systemResolver, mcp }: ConnectorSettings) {
    this.catalog = new ConnectorCatalog(database)
    this.broker = new EgressBroker(database, resolver)
    this.credentials = new CredentialSource(database, this.broker, new AwsRoles(this.broker, aws), clock)
    const { catalog, credentials, broker } = this
    const onListed = noteListed(database, clock)
    this.mcp = new McpCaller({ catalog, credentials, broker, onListed, ...mcp })
  }

  resolve(
    tenant: TenantId,
    capability: string,
    connection: string | null = null,
    pinned: Pinned | null = null,
  ): Promise<Binding> {
    return bind(this.catalog, tenant, capability, connection, pinned)
  }

  plan(bound: Bound, args: Json): PlannedEffect | { readonly problem: string } {
    try {
      return planEffect(bound, footingOf(this.catalog, bound), args)
    } catch (error) {
      if (error instanceof RenderError) return { problem: error.message }
      throw error
    }
  }

  attempt(bound: Bound, args: Json, options: AttemptOptions): Promise<AttemptResult> {
    return makeAttempt(this, bound, args, options)
  }

  rehearse(bound: Bound, args: Json, options: Pick<AttemptOptions, 'idempotencyKey' | 'ifMatch'>): Rehearsal {
    return rehearseEffect(footingOf(this.catalog, bound), bound, args, options)
  }

  read(bound: Bound, args: Json, signal: AbortSignal): Promise<ReadResult> {
    return makeRead(this, bound, args, signal)
  }

  /** Ends the programs it started. */
  close(): Promise<void> {
    return this.mcp.close()
  }
}
