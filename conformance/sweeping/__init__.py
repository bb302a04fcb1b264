"""Sweeping: functions of one number at every input of a dtype, judged and counted, here or on a cluster."""
