// Judges requests by the policies of a role, with the simulator of @cloud-copilot/iam-simulate. One JSON line in, one
// out:
//   {"principal": ARN, "account": ID, "policies": {name: document}, "requests": [{"action", "resource", "context"}]}
//   [{"allowed": true, "grants": [[Sid, action, resource], ...]} or {"problem": why it cannot be judged}, ...]
// The grants are those that allowed the request. The role's policies alone decide: a key's policy, or another account's
// resource policy, may deny what they allow.
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const list = value => (Array.isArray(value) ? value : [value])
const matching = explained => list(explained).filter(found => found.matches)

async function judge({ principal, account, policies }, { action, resource, context }) {
  const simulation = {
    request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
    identityPolicies: Object.entries(policies).map(([name, policy]) => ({ name, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }
  const answer = await runSimulation(simulation, {})
  if (answer.resultType !== 'single') return { problem: JSON.stringify(answer.errors ?? 'the resource has a wildcard') }
  const { analysis, ignoredContextKeys } = answer.result
  if (ignoredContextKeys.length) return { problem: `the action has no context key ${ignoredContextKeys}` }
  const grants = analysis.identityAnalysis.allowStatements.flatMap(({ explain }) =>
    matching(explain.actions).flatMap(granted =>
      matching(explain.resources).map(({ resource }) => [explain.identifier, granted.action, resource]),
    ),
  )
  return { allowed: analysis.identityAnalysis.result === 'Allowed', grants }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  const answers = []
  for (const request of asked.requests) answers.push(await judge(asked, request))
  console.log(JSON.stringify(answers))
}
