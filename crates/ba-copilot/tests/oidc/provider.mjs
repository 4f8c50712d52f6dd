// An OpenID provider for the tests: the certified `oidc-provider`, on a free port of this machine.
//
// Arguments: where its packages are, and the redirect address of the one client it knows. Says where it is on standard
// output, and ends when standard input does. Whoever signs in writes the e-mail address that they want to have as their
// name; one that begins with `unconfirmed` is not vouched for.

import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [packages, redirect] = process.argv.slice(2)
const found = join(packages, 'node_modules/oidc-provider/lib/index.js')
const { Provider } = await import(pathToFileURL(found).href)

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'ba-copilot', client_secret: 'a-secret-of-this-test', redirect_uris: [redirect] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    // By the letter: what the scopes ask for is at the userinfo endpoint, and not in the token.
    conformIdTokenClaims: true,
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: id,
        email_verified: !id.startsWith('unconfirmed'),
        name: id.split('@')[0],
      }),
    }),
  })
  server.on('request', provider.callback())
  console.log(issuer)
})

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
