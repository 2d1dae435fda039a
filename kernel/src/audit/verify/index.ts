export { joinReports, type JoinedReport } from './join-reports.js';
export {
  type Notice,
  type NoticeKind,
  type Problem,
  type ProblemKind,
  type StreamReport,
  type VerifyReport,
} from './report.js';
export { verifyLog, type VerifyOptions } from './verify.js';
