import type { HookContext } from '../../declarations.js'
import { FactorStrategy, type AuthenticationService } from '../../refresh-token/index.js'

/** After a second step: tells what its first step would have told, had it been enough. */
export const askForNewPassword = () => async (context: HookContext<AuthenticationService>) => {
  const { service, data } = context
  const { session, ...result } = context.result!
  const isSecondStep = service.getStrategy(data!.strategy!) instanceof FactorStrategy && !data!.stepUp

  if (isSecondStep && session?.strategy === 'local') {
    const { newPasswordNeeded } = await service.storedUser(service.userIdOf(result)!)

    if (newPasswordNeeded) {
      Object.assign(result.authentication, { newPasswordNeeded })
    }
  }
}
