export function readme(deployment: string): string {
  return `# ${deployment}

What runs is what is written here: YAML in git becomes governed, receipted state.

| path | what it is |
|---|---|
| \`fibric.yaml\` | the deployment itself |
| \`tenants/_platform/\` | what all tenants share: connectors, tiers, policies |
| \`tenants/<tenant>/\` | one folder a tenant; the folder's name is the tenant |
| \`.fibric/\` | this machine's database, cache and schemas; never committed |

\`\`\`sh
fibric validate                       # every problem, with file, line and column
fibric plan                           # what applying would change, and what the trust gate says of it
fibric apply                          # carry it out: one receipt a change
fibric explain TrustPolicy.rules      # what a field means
fibric schema --out .fibric/schemas   # completion in editors, after a fresh clone
\`\`\`
`
}
