/** Every request of one's own account. */
import { queryOptions } from "@tanstack/react-query";
import {
  changePassword,
  createToken,
  deleteToken,
  listTokens,
  type MeIn,
  type PasswordIn,
  type TokenIn,
  updateMe,
} from "../../api/client";

export const accountKeys = { tokens: ["account", "tokens"] as const };

export const tokensQuery = queryOptions({
  queryKey: accountKeys.tokens,
  queryFn: ({ signal }) => listTokens({ query: { limit: 200, sort: "name" }, signal }),
});

export const saveProfile = (body: MeIn) => updateMe({ body });
export const savePassword = (body: PasswordIn) => changePassword({ body });
export const makeToken = (body: TokenIn) => createToken({ body });
export const revokeToken = (id: string) => deleteToken({ path: { token_id: id } });
