/** Names of flows, in the language of the page. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { flowsQuery } from "./queries";

export function useFlowTitle(): (flow: string) => string {
  const { i18n } = useTranslation();
  const { data } = useQuery(flowsQuery);
  return (name) => {
    const flow = data?.find((one) => one.name === name);
    return flow ? pick(flow.title, i18n.language) : name;
  };
}
