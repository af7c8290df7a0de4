"""EZD PUW: the public contract of the EZD made by Podlaski Urząd Wojewódzki."""
