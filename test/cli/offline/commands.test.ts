import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { copyOfTenants, fibric, folderWith, remove } from '../../support/cli.ts'
import { alice, gitRepository } from '../../support/git-repository.ts'

const golden = (name: string) => join(import.meta.dirname, '../../golden/cli', name)

const tenant = (extra = '') => `apiVersion: fibric.io/v1
kind: Tenant
metadata:
  name: acme
spec:
  displayName: Acme
${extra}`

const role = (verbs: string, name = 'clerk') => `apiVersion: fibric.io/v1
kind: Role
metadata:
  name: ${name}
spec:
  allow:
    - verbs: [${verbs}]
      kinds: ["*"]
`

const user = `apiVersion: fibric.io/v1
kind: User
metadata:
  name: jane
spec:
  displayName: Jane
  roles: [clerk]
`

const small = {
  'tenants/acme/tenant.yaml': tenant(),
  'tenants/acme/people/roles.yaml': role('read, write'),
  'tenants/acme/people/jane.yaml': user,
}

function folder(files: Parameters<typeof folderWith>[0]): string {
  const made = folderWith(files)
  onTestFinished(() => remove(made))
  return made
}

describe('validate', () => {
  test('counts what is valid', async () => {
    const ran = await fibric(['validate'], folder(small))
    expect(ran).toEqual({ stdout: '3 documents in 1 domain are valid\n', stderr: '', exit: 0 })
  })

  const broken = {
    ...small,
    'tenants/acme/people/roles.yaml': role('read, wirte'),
    'tenants/acme/people/jane.yaml': user.replace('[clerk]', '[clark]'),
    'tenants/acme/bad.yaml': 'apiVersion: fibric.io/v1\nkind: Role\nmetadata: {name: x\n',
  }

  test('shows every problem with its line on stderr, and exits 5', async () => {
    const { stdout, stderr, exit } = await fibric(['validate'], folder(broken))
    expect({ stdout, exit }).toEqual({ stdout: '', exit: 5 })
    await expect(stderr).toMatchFileSnapshot(golden('validate-errors.txt'))
  })

  test.each([
    { name: 'json', argv: ['--json'] },
    { name: 'json', argv: ['--format', 'json'] },
    { name: 'sarif', argv: ['--format', 'sarif'] },
  ])('writes $name on stdout with $argv', async ({ name, argv }) => {
    const { stdout, stderr, exit } = await fibric(['validate', ...argv], folder(broken))
    expect({ stderr, exit }).toEqual({ stderr: '', exit: 5 })
    await expect(stdout).toMatchFileSnapshot(golden(`validate-errors.${name}`))
  })

  test('shows paths from where its user is', async () => {
    const place = folder(broken)
    const { stderr } = await fibric(['validate', '../..'], join(place, 'tenants/acme'))
    expect(stderr).toContain('--> people/jane.yaml:7:11')
  })

  test('lets warnings pass, unless it is strict', async () => {
    const operator = `apiVersion: fibric.io/v1
kind: Operator
metadata:
  name: idle
spec:
  trigger: {every: 15m}
  capabilities: [order.read]
  reason:
    rules: [{when: "true", propose: [{capability: order.read}]}]
`
    const place = folder({ ...small, 'tenants/acme/operator.yaml': operator })
    const passed = await fibric(['validate'], place)
    expect(passed.exit).toBe(0)
    expect(passed.stdout).toMatch(/^4 documents in 1 domain are valid, with \d warnings?\n$/)
    expect(passed.stderr).toMatch(/^warning\[/)
    expect((await fibric(['validate', '--strict'], place)).exit).toBe(5)
  })

  test('keeps its cache out of git', async () => {
    const repository = gitRepository()
    onTestFinished(() => repository.remove())
    repository.commit({ files: small })
    expect((await fibric(['validate'], repository.directory)).exit).toBe(0)
    expect(existsSync(join(repository.directory, '.fibric/cache'))).toBe(true)
    expect(repository.git('status', '--porcelain')).toBe('')
  })

  test('finds the same where nothing may be written', async () => {
    const place = folder(broken)
    writeFileSync(join(place, '.fibric'), 'a file where the folder would be')
    const { stdout, exit } = await fibric(['validate', '--json'], place)
    expect(exit).toBe(5)
    await expect(stdout).toMatchFileSnapshot(golden('validate-errors.json'))
    expect(readFileSync(join(place, '.fibric'), 'utf8')).toMatch(/^a file/)
  })

  test('says where there is no repository', async () => {
    const { stderr, exit } = await fibric(['validate'], folder({ 'notes.txt': '' }))
    expect(exit).toBe(1)
    expect(stderr).toMatch(/^error `\.` is in no configuration repository \(NO_REPOSITORY\)\nhint: {2}make one with/)
  })
})

describe('fmt', () => {
  const messy = `---
# yaml-language-server: $schema=x.json

# who may

kind: TrustPolicy # the rules
apiVersion: "fibric.io/v1"
metadata:
    labels: {team: ops,
      # where
      site: "berlin"}
    name: "refunds"
spec:

    rules:
    - id: 'small'
      match: { capability: "refund.*", connection: orders,   value: {lte: 250.0} }
      when-not: ~
    - {id: wide, match: {capability: refund.issue, connection: orders, entity: "order:*", tier: {lte: 2}}, decision: ALLOW, require: {maxValue: 250}}
    - id: hours
      require: {hours: {timeZone: Europe/Berlin, days: [mon], from: "08:00", to: '18:00'}}
      note: >
        folded text
        of two lines

        and a paragraph
      text: "a\\nb\\n"
      on: "on"
      check: "action.args.currency == 'EUR'"
      template: 'x \${param.y}'
      # the end of the rules
...
---
---
{kind: Role, apiVersion: fibric.io/v1, metadata: {name: x}}
`

  test('brings documents into one form', async () => {
    const place = folder({ ...small, 'tenants/acme/messy.yaml': messy.replaceAll('\n', '\r\n') })
    const ran = await fibric(['fmt'], place)
    expect(ran).toEqual({ stdout: 'tenants/acme/messy.yaml\n1 of 4 files formatted\n', stderr: '', exit: 0 })
    await expect(readFileSync(join(place, 'tenants/acme/messy.yaml'), 'utf8')).toMatchFileSnapshot(golden('fmt.yaml'))
    expect(await fibric(['fmt'], place)).toEqual({ stdout: '0 of 4 files formatted\n', stderr: '', exit: 0 })
  })

  test('only lists with --check, and exits 1', async () => {
    const place = folder({ ...small, 'tenants/acme/messy.yaml': messy })
    const ran = await fibric(['fmt', '--check'], place)
    expect(ran).toEqual({ stdout: 'tenants/acme/messy.yaml\n1 of 4 files would be formatted\n', stderr: '', exit: 1 })
    expect(readFileSync(join(place, 'tenants/acme/messy.yaml'), 'utf8')).toBe(messy)
    const { stdout } = await fibric(['fmt', '--check', '--json'], place)
    await expect(stdout).toMatchFileSnapshot(golden('fmt-check.json'))
  })

  test('leaves alone what it cannot parse, what is not ours, and what lies elsewhere', async () => {
    const files = {
      ...small,
      'tenants/acme/broken.yaml': 'apiVersion: fibric.io/v1\nkind: [\n',
      'tenants/acme/fixture.yaml': 'a:   {b:   c}\n',
      'tenants/acme/.hidden.yaml': messy,
      'tenants/acme/prompts/p.md': '#  x\n',
      'other/messy.yaml': messy,
    }
    const place = folder(files)
    const { stdout, stderr, exit } = await fibric(['fmt'], place)
    expect({ stdout, exit }).toEqual({ stdout: '0 of 4 files formatted, 1 file left as found\n', exit: 5 })
    expect(stderr).toMatch(/^error\[YAML_SYNTAX\]/)
    for (const [path, text] of Object.entries(files)) expect(readFileSync(join(place, path), 'utf8'), path).toBe(text)
  })

  test('formats one folder or one file when that is named, and keeps its mode', async () => {
    const place = folder({ ...small, 'tenants/acme/a/m.yaml': messy, 'tenants/acme/b/m.yaml': messy })
    chmodSync(join(place, 'tenants/acme/a/m.yaml'), 0o640)
    expect((await fibric(['fmt', 'tenants/acme/a'], place)).stdout).toBe(
      'tenants/acme/a/m.yaml\n1 of 1 file formatted\n',
    )
    expect(statSync(join(place, 'tenants/acme/a/m.yaml')).mode & 0o777).toBe(0o640)
    expect((await fibric(['fmt', 'tenants/acme/b/m.yaml'], place)).stdout).toContain('1 of 1 file formatted')
  })

  test('changes no digest of the examples', async () => {
    const place = copyOfTenants()
    onTestFinished(() => remove(place))
    const repository = ['-C', place, '-c', 'user.name=a', '-c', 'user.email=a@example.com']
    execFileSync('git', ['init', '-q', place])
    execFileSync('git', [...repository, 'add', '.'])
    execFileSync('git', [...repository, 'commit', '-qm', 'before'])
    expect((await fibric(['fmt'], place)).exit).toBe(0)
    execFileSync('git', [...repository, 'commit', '-qam', 'after', '--allow-empty'])
    expect((await fibric(['diff', 'HEAD~1', 'HEAD'], place)).stdout).toBe('0 added, 0 changed, 0 removed.\n')
  })
})

describe('explain', () => {
  test.each([
    { argv: [], file: 'explain-kinds' },
    { argv: ['TrustPolicy'], file: 'explain-kind' },
    { argv: ['operator.trigger.on'], file: 'explain-field' },
  ])('answers $argv', async ({ argv, file }) => {
    const text = await fibric(['explain', ...argv], '/')
    expect({ stderr: text.stderr, exit: text.exit }).toEqual({ stderr: '', exit: 0 })
    await expect(text.stdout).toMatchFileSnapshot(golden(`${file}.txt`))
    const json = await fibric(['explain', ...argv, '--json'], '/')
    await expect(json.stdout).toMatchFileSnapshot(golden(`${file}.json`))
  })

  test.each([
    { path: 'Oprator', hint: 'did you mean `fibric explain Operator`?' },
    { path: 'Operator.triger.on', hint: 'did you mean `fibric explain Operator.spec.trigger`?' },
  ])('guesses what $path was to be', async ({ path, hint }) => {
    const { stderr, exit } = await fibric(['explain', path], '/')
    expect(exit).toBe(1)
    expect(stderr).toContain(hint)
  })
})

describe('schema', () => {
  test('prints one, and writes all', async () => {
    const place = folder({})
    const printed = JSON.parse((await fibric(['schema', 'role'], place)).stdout)
    expect(printed.title).toBe('Role')
    const { stdout, exit } = await fibric(['schema', '--out', 'a/b'], place)
    expect({ stdout, exit }).toEqual({
      stdout: '27 schemas written to a/b; fibric.json is for documents of every kind\n',
      exit: 0,
    })
    expect(JSON.parse(readFileSync(join(place, 'a/b/Role.json'), 'utf8'))).toEqual(printed)
  })
})

describe('graph', () => {
  test.each(['dot', 'mermaid', 'json'])('draws %s', async (format) => {
    const { stdout, stderr, exit } = await fibric(['graph', '--format', format], folder(small))
    expect({ stderr, exit }).toEqual({ stderr: '', exit: 0 })
    await expect(stdout).toMatchFileSnapshot(golden(`graph.${format}`))
  })

  test('draws what one address needs', async () => {
    const place = folder({ ...small, 'tenants/acme/people/other.yaml': role('run', 'other') })
    const { stdout } = await fibric(['graph', '--json', '--target', 'acme/User/jane'], place)
    expect(JSON.parse(stdout).nodes.map(({ address }: { address: string }) => address)).toEqual([
      'acme/Role/clerk',
      'acme/User/jane',
    ])
    const missing = await fibric(['graph', '--target', 'acme/User/jan'], place)
    expect(missing.stderr).toContain('did you mean `acme/User/jane`?')
  })
})

describe('diff', () => {
  const repository = gitRepository()
  afterAll(() => repository.remove())
  repository.commit({ files: small, author: alice })
  repository.commit({
    files: {
      'tenants/acme/people/roles.yaml': `# moved, renamed and changed\n${role('read, write, approve')}`,
      'tenants/acme/people/jane.yaml': null,
      'tenants/acme/staff/jane.yaml': user.replace('name: jane', 'name: jane-doe\n  previously: jane'),
      'tenants/acme/people/viewer.yaml': role('read', 'viewer'),
    },
  })
  repository.commit({ files: { 'tenants/acme/people/viewer.yaml': null } })

  test('tells what was added, changed, renamed and removed', async () => {
    const text = await fibric(['diff', 'HEAD~2', 'HEAD~1'], repository.directory)
    expect({ stderr: text.stderr, exit: text.exit }).toEqual({ stderr: '', exit: 0 })
    await expect(text.stdout).toMatchFileSnapshot(golden('diff.txt'))
    const json = await fibric(['diff', 'HEAD~2', 'HEAD~1', '--json'], repository.directory)
    await expect(json.stdout).toMatchFileSnapshot(golden('diff.json'))
    expect((await fibric(['diff', 'HEAD~1', 'HEAD'], repository.directory)).stdout).toContain('- acme/Role/viewer')
  })

  test('has an exit code for differences', async () => {
    expect((await fibric(['diff', 'HEAD~1', 'HEAD', '--detailed-exitcode'], repository.directory)).exit).toBe(2)
    expect((await fibric(['diff', 'HEAD', 'HEAD', '--detailed-exitcode'], repository.directory)).exit).toBe(0)
  })

  test('says which revision there is not', async () => {
    const { stderr, exit } = await fibric(['diff', 'HEAD', 'no-such-branch'], repository.directory)
    expect(exit).toBe(1)
    expect(stderr).toMatch(/^error .*`no-such-branch`.*\(GIT\)\n/)
  })
})

describe('init', () => {
  test('makes a repository that is valid and in its canonical form', async () => {
    const place = folder({})
    const { stdout, stderr, exit } = await fibric(['init', 'my deployment'], place)
    expect({ stderr, exit }).toEqual({ stderr: '', exit: 0 })
    await expect(stdout).toMatchFileSnapshot(golden('init.txt'))
    const made = join(place, 'my deployment')
    expect(await fibric(['validate', '--strict'], made)).toMatchObject({ stderr: '', exit: 0 })
    expect(await fibric(['fmt', '--check'], made)).toMatchObject({ stderr: '', exit: 0 })
    expect(existsSync(join(made, '.fibric/schemas/Operator.json'))).toBe(true)
    execFileSync('git', ['init', '-q', made])
    const untracked = execFileSync('git', ['-C', made, 'status', '--porcelain', '-uall'], { encoding: 'utf8' })
    expect(untracked).not.toContain('.fibric')
  })

  test('overwrites nothing', async () => {
    const place = folder({ 'README.md': 'mine\n' })
    const { stdout } = await fibric(['init'], place)
    expect(stdout).toContain('= README.md (kept as it was)')
    expect(readFileSync(join(place, 'README.md'), 'utf8')).toBe('mine\n')
    const again = await fibric(['init'], place)
    expect(again.exit).toBe(1)
    expect(again.stderr).toMatch(/^error `\.` has `fibric.yaml` already, and nothing was written \(STATE_CONFLICT\)/)
  })
})
