// `POST /api/v1/doctor`: looks at the gateway and what is around it, now. Changes nothing.
import type { FastifyInstance } from 'fastify';
import type { Doctor } from '../doctor.ts';

export function addDoctorRoutes(api: FastifyInstance, doctor: Doctor): void {
  api.post('/api/v1/doctor', () => doctor.examine());
}
